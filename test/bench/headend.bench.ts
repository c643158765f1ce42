import { setTimeout as sleep } from "node:timers/promises";
import { LANES, type MeterId, openScope, postgresWorkQueue } from "@meterkeep/headend";
import { createPool } from "@meterkeep/postgres";
import { ask, ownerClient } from "../src/api-client.ts";
import { custodianConfigOf, serverConfigOf } from "../src/installation-files.ts";
import { startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { profileOf } from "./profile/parts.ts";
import { cpuSeconds, machineLoad, option, processesOf, yardstick } from "./usage.ts";

// Sessions as a utility holds them once a day: association, clock, relay, registers, 96 intervals on two
// channels, the registers at the end of the day, four event logs, all sealed and opened by the custodian in its own process,
// validated and stored with evidence (power quality is no part of the target), against virtual meters on the same machine. The town's time runs so fast that `--rate`
// meters a second have a new day to read: as long as the head-end keeps up, each session brings one day, and where it does
// not, more (printed). Meters do not push. `--meters N`, `--rate N` a second, `--minutes N`, `--workers N` processes,
// `--sessions N` at once in each, `--dead N` and `--flapping N` percent of the meters that are silent, always or every other
// ten seconds. Twice a second a meter that is neither is asked for its supply on demand: how long that takes beside the batch
// is the head-end's share and the meter's. Homes have no certificates, and prove themselves by GMAC (mechanism 5) as the targets
// have it; `--mechanism 7` has those with certificates, `--mechanism 0` one such home in seven, as in any town.
// `--profile N` looks for N seconds afterwards where the time goes, part by part.

const meters = option("meters", 600);
const rate = option("rate", 300);
const minutes = option("minutes", 10);
const workers = option("workers", 0);
const dead = option("dead", 0);
const flapping = option("flapping", 0);
// As a start has them, and one for each that is waited for in vain.
const sessions = option("sessions", 192 + Math.ceil((meters * (dead + flapping)) / 100));
const profiled = option("profile", 0);
const mechanism = option("mechanism", 5);
const speed = Math.round((rate * 86_400) / meters);
const PROFILES: Readonly<Record<number, string>> = { 0: "idis-p2=1", 5: "idis-p2=1,idis-p3=0", 7: "idis-p3=1" };
const homes = PROFILES[mechanism];
if (homes === undefined) throw new Error("--mechanism is 5, 7 or 0");
const WARM_UP_SECONDS = 10;
const FLAP_MILLISECONDS = 10_000;
const ASK_MILLISECONDS = 500;

await using meterkeep = await startMeterkeep({
  meters,
  speed,
  readyWithinMs: 600_000,
  options: [
    ...["--read-every", "86400", "--power-quality", "no", "--profiles", homes],
    ...["--workers", String(workers), "--sessions", String(sessions)],
  ],
  ...(profiled > 0 ? { preload: "test/bench/profile/launch.ts" } : {}),
});
const town = townControl(meterkeep.stateDirectory);
const api = await ownerClient(meterkeep);
const { stdout } = await meterkeep.command(["token", "create", "bench", "--json"]);
const { token } = JSON.parse(stdout) as { readonly token: string };

const isSettled = async (): Promise<boolean> => {
  const lines = await api.meters();
  return lines.length > meters && lines.every(({ takeover }) => takeover === "proven" || takeover === "refused");
};
while (!(await isSettled())) await sleep(2_000);
const titles = (await town.truth()).map(({ systemTitle }) => systemTitle);
await town.ask(titles.map((meter) => ({ do: "silence", meter })));
const some = (share: number, from: number): readonly string[] =>
  titles.filter((_, at) => (at * 37 + from) % 100 < share);
const drop = (chosen: readonly string[], on: boolean): Promise<unknown> =>
  chosen.length === 0
    ? Promise.resolve()
    : town.ask(chosen.map((meter) => ({ do: "fault", meter, fault: on ? "drop" : null })));
// What they had to push from before their silence comes in first.
let pushed = -1;
for (let next = 0; next !== pushed; await sleep(2_000))
  [pushed, next] = [next, await counter("meterkeep_pushes_total", "")];
await drop(some(dead, 0), true);
const flappers = some(flapping, 50);
let isDown = false;
const flap = setInterval(() => {
  isDown = !isDown;
  void drop(flappers, isDown).catch(() => undefined);
}, FLAP_MILLISECONDS);

/** A counter of the server's metrics, summed over the labels that match. */
async function counter(name: string, labels: string): Promise<number> {
  const { text } = await ask(`${meterkeep.address}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  return text
    .split("\n")
    .filter((line) => line.startsWith(name) && line.includes(labels))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

async function sample() {
  const all = await counter("meterkeep_sessions_total{", "");
  const done = await counter("meterkeep_sessions_total{", 'purpose="read",outcome="done"');
  const intervals = await counter("meterkeep_intervals_read_total", "");
  const cpu = new Map([...processesOf(meterkeep)].map(([name, pids]) => [name, cpuSeconds(pids)]));
  const { rows } = await pool.query<{ name: string; inserted: string }>(
    "select relname as name, sum(n_tup_ins) as inserted from pg_stat_user_tables group by relname",
  );
  const { rows: opened } = await keysPool.query<{ mechanism: number; sessions: number }>(
    `select (body::json ->> 'mechanism')::int as mechanism, count(*)::int as sessions
     from ledger where kind = 'session-opened' group by 1 order by 1`,
  );
  const mechanisms = new Map(opened.map((row) => [row.mechanism, row.sessions]));
  const inserted = new Map(rows.map(({ name, inserted: count }) => [name, Number(count)]));
  const octets = { "head-end": await octetsIn(pool), custodian: await octetsIn(keysPool) };
  return { at: performance.now(), done, other: all - done, intervals, cpu, mechanisms, inserted, octets };
}

/** What a database takes on its disk. */
async function octetsIn(pool: ReturnType<typeof createPool>): Promise<number> {
  const { rows } = await pool.query<{ octets: string }>("select pg_database_size(current_database()) as octets");
  return Number(rows[0]?.octets);
}

const { database, utility, island } = serverConfigOf(meterkeep.stateDirectory);
const pool = createPool(database, { applicationName: "headend bench", maxConnections: 2 });
const keysDatabase = custodianConfigOf(meterkeep.stateDirectory).database;
const keysPool = createPool(keysDatabase, { applicationName: "headend bench", maxConnections: 1 });
const scope = await openScope(pool, utility, island);
const queue = postgresWorkQueue(pool, scope);
const { rows: answering } = await pool.query<{ meter_id: MeterId }>(
  `select meter_id from meters where role = 'home' and not encode(system_title, 'hex') = any($1)`,
  [[...some(dead, 0), ...flappers].map((title) => title.toLowerCase())],
);
const asked: { readonly meter: MeterId; readonly at: number }[] = [];
const asking = setInterval(() => {
  const meter = answering[Math.floor(Math.random() * answering.length)]?.meter_id;
  if (meter === undefined) return;
  const at = Date.now();
  asked.push({ meter, at });
  void queue.due([meter], at, LANES.onDemand, "verify").catch(() => undefined);
}, ASK_MILLISECONDS);

/**
 * Milliseconds from each request to the beginning and to the end of the session that answered it, and to its beginning from
 * where the meter was free: a meter holds one session at a time, and with two homes for each session of a second many are asked
 * in the midst of one. All in their order.
 */
async function answers(): Promise<Readonly<Record<"begun" | "ended" | "sinceFree", readonly number[]>>> {
  const { rows } = await pool.query<{ begun: number; ended: number; free: number }>(
    `select extract(epoch from s.started_at - a.at) * 1000 as begun, extract(epoch from s.ended_at - a.at) * 1000 as ended,
       extract(epoch from s.started_at - greatest(a.at, (select max(ended_at) from sessions u
         where u.meter_id = a.meter_id and u.started_at < s.started_at and u.ended_at > a.at))) * 1000 as free
     from unnest($1::integer[], $2::timestamptz[]) a(meter_id, at)
     cross join lateral (select started_at, ended_at from sessions s
       where s.meter_id = a.meter_id and s.purpose = 'verify' and s.started_at >= a.at order by s.started_at limit 1) s`,
    [asked.map(({ meter }) => meter), asked.map(({ at }) => new Date(at))],
  );
  const sorted = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b);
  return {
    begun: sorted(rows.map((row) => Number(row.begun))),
    ended: sorted(rows.map((row) => Number(row.ended))),
    sinceFree: sorted(rows.map((row) => Number(row.free))),
  };
}

await sleep(WARM_UP_SECONDS * 1000);
const before = await sample();
await sleep(minutes * 60_000);
const after = await sample();
const profiles = profiled > 0 ? await profileOf(meterkeep, profiled * 1000) : new Map();
clearInterval(flap);
clearInterval(asking);
const { begun, ended, sinceFree } = await answers();
await Promise.all([pool.end(), keysPool.end()]);
const quantile = (values: readonly number[], share: number): string =>
  (values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN).toFixed(0);

const elapsed = (after.at - before.at) / 1000;
const done = after.done - before.done;
console.log(
  `${meters} homes, ${rate} of them a second with a new day (time ${speed} times as fast), ${workers === 0 ? "sessions in the server" : `${workers} workers`}, ${sessions} at once, ${dead} % dead, ${flapping} % flapping, ${elapsed.toFixed(0)} s, load of the machine ${machineLoad()}`,
);
console.log(`a core of this machine is worth ${yardstick()}`);
console.log(
  `  daily sessions             ${(done / elapsed).toFixed(1)} a second, ${((after.intervals - before.intervals) / done).toFixed(1)} interval values each (a day of two channels is 192)`,
);
console.log(
  `  mechanisms                 ${[...after.mechanisms].map(([name, count]) => `${count - (before.mechanisms.get(name) ?? 0)} sessions of mechanism ${name}`).join(", ")}, as the custodian's ledger has them`,
);
const rowsOf = [...after.inserted]
  .map(([name, count]) => [name, (count - (before.inserted.get(name) ?? 0)) / done] as const)
  .filter(([, count]) => count >= 0.05)
  .sort(([, one], [, other]) => other - one);
console.log(`  rows a session             ${rowsOf.map(([name, count]) => `${name} ${count.toFixed(1)}`).join(", ")}`);
console.log(
  `  octets a session           ${Object.entries(after.octets)
    .map(
      ([name, octets]) => `${name} ${Math.round((octets - before.octets[name as keyof typeof before.octets]) / done)}`,
    )
    .join(", ")} more on disk, indexes and what is not cleaned up yet included`,
);
console.log(
  `  others                     ${((after.other - before.other) / elapsed).toFixed(1)} a second: failed, or of another purpose`,
);
console.log(
  `  on demand                  ${ended.length} of ${asked.length} answered; begun after ${quantile(begun, 0.5)} ms (p99 ${quantile(begun, 0.99)}; ${quantile(sinceFree, 0.5)} and ${quantile(sinceFree, 0.99)} since the meter was free), done after ${quantile(ended, 0.5)} ms (p99 ${quantile(ended, 0.99)})`,
);
let total = 0;
for (const [name, cpu] of after.cpu) {
  const used = cpu - (before.cpu.get(name) ?? 0);
  total += used;
  console.log(
    `  CPU of ${name.padEnd(18)} ${((used * 1000) / done).toFixed(2)} ms a session, ${((used / elapsed) * 100).toFixed(0)} % of a core`,
  );
}
console.log(`  CPU of all                 ${((total * 1000) / done).toFixed(2)} ms a session`);
for (const [name, { parts, memory }] of profiles) {
  const busy = [...parts].filter(([part]) => part !== "idle").reduce((sum, [, spent]) => sum + spent, 0);
  const words = [...parts]
    .filter(([part]) => part !== "idle")
    .map(([part, spent]) => `${part} ${((spent * 100) / busy).toFixed(0)} %`);
  console.log(`  of ${name.padEnd(24)} ${words.join(", ")}`);
  console.log(`  ${"".padEnd(27)} ${memory}`);
}

import { setTimeout as sleep } from "node:timers/promises";
import type { CampaignView, CommandOrder, RouteAnswer } from "@meterkeep/api";
import { auditStored, postgresLedgerStore } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import { type ApiClient, ask, ownerClient } from "../src/api-client.ts";
import { approve, enrolKeyHolder, planPolicyService, said } from "../src/authority.ts";
import { workOrder } from "../src/billing-office.ts";
import { serverConfigOf } from "../src/installation-files.ts";
import { processFacts } from "../src/process-facts.ts";
import { startMeterkeep } from "../src/start-meterkeep.ts";
import { type TownRequest, townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";
import { machineLoad, option } from "./usage.ts";

// All faults at once, for a while: meters that are dead, that flap, that answer late, that break off before or after they have
// done what was asked, clocks that jump; workers, the server and the custodian killed. Meanwhile everything is read, every
// home is asked for its clock again and again, and homes are switched off and on by commands that two people approve. Then
// the faults end, but for the dead, and everything is counted: what is missing must be exactly what the dead did not say,
// nothing may be there twice, and each command must have come to one end, which the meters' own count of switchings bears out.
// `--meters N`, `--speed N`, `--minutes N`, `--workers N`, `--dead N` percent.

const meters = option("meters", 60);
const speed = option("speed", 900);
const minutes = option("minutes", 10);
const workers = option("workers", 2);
const dead = option("dead", 5);
const PATIENCE = { patienceMs: 3_600_000, everyMs: 1_000 } as const;
const ROUND_MILLISECONDS = 2_000;
const KILL_MILLISECONDS = 15_000;
const COMMAND_MILLISECONDS = 20_000;
const SWITCH_MILLISECONDS = 15_000;
/** Requests of one token: who asks for more in an hour than is usual is quarantined (MC-16). */
const MOST_OF_ONE_TOKEN = 2;
/** What was not done in this time is stale. */
const COMMAND_HOURS = 0.1;
const DAY_AND_MINUTE_MS = 86_460_000;
const INTERVALS_A_DAY = 96;
const KILLED = ["server", "custodian", ...Array.from({ length: workers }, (_, n) => `worker-${n + 1}`)];
const ENDED = ["done", "refused", "failed", "stale", "uncertain", "stopped"];

await using meterkeep = await startMeterkeep({
  meters,
  speed,
  readyWithinMs: 600_000,
  options: ["--workers", String(workers)],
});
const town = townControl(meterkeep.stateDirectory);
const anna = await enrolKeyHolder(meterkeep, "anna", "anna", "operations");
const ben = await enrolKeyHolder(meterkeep, "ben", "ben", "security");
await approve(meterkeep, await planPolicyService(meterkeep), anna, ben);
await said(meterkeep, "command", "policy-service");
let api = await ownerClient(meterkeep);
await until(
  "every takeover has its verdict",
  async () => {
    const lines = await api.meters();
    return lines.length > meters && lines.every(({ takeover }) => takeover === "proven" || takeover === "refused");
  },
  PATIENCE,
);
const service = (await api.meters())
  .filter(({ takeover }) => takeover === "proven")
  .map(({ systemTitle }) => systemTitle);
const homes = new Set((await town.truth()).filter(({ role }) => role === "home").map(({ systemTitle }) => systemTitle));
const victims = service.filter((title) => homes.has(title));
const silent = new Set(victims.slice(0, Math.ceil((victims.length * dead) / 100)));
const any = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)] as T;

const { stdout } = await meterkeep.command(["token", "create", "faults", "--scope", "request", "--json"]);
const { token } = JSON.parse(stdout) as { readonly token: string };
const counts = new Map<string, number>();
const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
await town.ask([...silent].map((meter) => ({ do: "fault", meter, fault: "drop" })));

/** What happens to some meter: chosen anew every round. */
const FAULTS: readonly ((meter: string) => TownRequest)[] = [
  (meter) => ({ do: "fault", meter, fault: "delay", amount: 2_000, times: 3 }),
  (meter) => ({ do: "fault", meter, fault: "drop", times: 2 }),
  (meter) => ({ do: "fault", meter, fault: "crash-before", times: 1, after: Math.floor(Math.random() * 6) }),
  (meter) => ({ do: "fault", meter, fault: "crash-after", times: 1, after: Math.floor(Math.random() * 6) }),
  (meter) => ({ do: "push", meter, kind: "alarm" }),
];

const campaigns: string[] = [];
const end = performance.now() + minutes * 60_000;
const firstDay = await dayAtSource();
/** Homes that are switched, each off once and on again, with what became of being asked. */
const switched: { readonly meter: string; readonly turn: "disconnect" | "reconnect"; readonly campaign: string }[] = [];
const refusals = new Map<string, number>();
let switching: Promise<void> = Promise.resolve();
let asker: { readonly api: ApiClient; left: number } | undefined;
let askers = 0;
let [killAt, commandAt, switchAt] = [performance.now() + KILL_MILLISECONDS, performance.now(), performance.now()];
while (performance.now() < end) {
  const living = victims.filter((meter) => !silent.has(meter));
  const chosen = new Set(Array.from({ length: Math.ceil(meters / 10) }, () => any(living)));
  const requests = [...chosen].map((meter) => any(FAULTS)(meter));
  for (const request of requests) count("fault" in request ? String(request.fault) : request.do);
  await town.ask(requests).catch(() => count("the town did not listen"));
  if (performance.now() >= killAt) {
    killAt = performance.now() + KILL_MILLISECONDS;
    const name = any(KILLED);
    const pid = meterkeep.pids()[name];
    if (pid !== undefined && processFacts(pid) !== undefined) {
      process.kill(pid, "SIGKILL");
      count(`kill -9 of ${name}`);
    }
  }
  if (performance.now() >= commandAt) {
    commandAt = performance.now() + COMMAND_MILLISECONDS;
    await askForClocks();
  }
  if (performance.now() >= switchAt) {
    switchAt = performance.now() + SWITCH_MILLISECONDS;
    const off = switched.filter(({ turn }) => turn === "disconnect");
    const on = new Set(switched.flatMap(({ turn, meter }) => (turn === "reconnect" ? [meter] : [])));
    const back = off.find(({ meter }) => !on.has(meter));
    const fresh = any(living.filter((meter) => off.every((one) => one.meter !== meter)));
    // Off and on in turn, so that what is off comes back while faults go on.
    const next =
      back !== undefined && switched.length % 2 === 1
        ? ({ meter: back.meter, turn: "reconnect" } as const)
        : ({ meter: fresh, turn: "disconnect" } as const);
    switching = switching.then(() => switchSupply(next.meter, next.turn)).catch(() => count("switching: nobody there"));
  }
  await sleep(ROUND_MILLISECONDS);
}
await switching;
await town.ask(victims.filter((meter) => !silent.has(meter)).map((meter) => ({ do: "fault", meter, fault: null })));

/** A server that was killed a moment ago refuses nothing that it has promised: what has no id was not accepted. */
async function askForClocks(): Promise<void> {
  try {
    const { status, text } = await ask(`${meterkeep.address}/api/v1/commands`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({
        operation: "attributes",
        parameters: { attributes: [{ classId: 8, object: "0-0:1.0.0", attribute: 2 }] },
        selection: { kind: "list", meters: victims },
        reason: "maintenance",
        hours: COMMAND_HOURS,
      }),
    });
    const { campaign, code } = JSON.parse(text) as Partial<RouteAnswer<"createCommand">> & { readonly code?: string };
    // What the guard keeps in quarantine has no targets until another person releases it.
    if (campaign !== undefined && campaign.state !== "quarantined") campaigns.push(campaign.id);
    count(`command ${campaign?.state ?? `not accepted: ${status} ${code}`}`);
  } catch {
    count("command not accepted: nobody there");
  }
}

/** Asks for one home to be switched, and has two people approve it. A request whose answer is lost may have been taken: it is looked for. */
async function switchSupply(meter: string, turn: "disconnect" | "reconnect"): Promise<void> {
  const order = `WO-${askers}-${switched.length}-${meter}`;
  await workOrder(meterkeep.stateDirectory, order, "safety", [meter]);
  if (asker === undefined || asker.left === 0) {
    askers += 1;
    asker = { api: await ownerClient(meterkeep, "request", `switching ${askers}`), left: MOST_OF_ONE_TOKEN };
  }
  asker.left -= 1;
  const body: CommandOrder = {
    operation: turn,
    parameters: {},
    selection: { kind: "list", meters: [meter] },
    reason: turn === "disconnect" ? "safety" : "restore",
    ...(turn === "disconnect" ? { workOrder: order } : {}),
  };
  const asked = await asker.api.call("createCommand", { body });
  const { id, state } = asked.campaign;
  count(`${turn} ${state}`);
  if (state === "quarantined") {
    // Refused with its reason, which is a row; nothing of it is sent.
    for (const { rule, effect } of asked.dryRun.findings)
      if (effect !== "warn") refusals.set(rule, (refusals.get(rule) ?? 0) + 1);
    return;
  }
  switched.push({ meter, turn, campaign: id });
  const view = await until<CampaignView>(
    "the manifest is at the custodian, or the request has ended",
    async () => {
      const seen = await asker?.api.call("campaign", { params: { id } }).catch(() => undefined);
      return (
        seen !== undefined && ((seen.manifest?.people ?? 0) > 0 || seen.campaign.state !== "awaiting-approval") && seen
      );
    },
    PATIENCE,
  );
  const hash = view.manifest?.hash;
  if (hash !== undefined) await approve(meterkeep, hash, ...[anna, ben].slice(0, view.manifest?.people ?? 1));
}

async function dayAtSource(): Promise<string> {
  return until("somebody tells the day", async () => (await api.call("sla")).day, PATIENCE);
}

const calm = await until("the server is there", async () => (api = await ownerClient(meterkeep)), PATIENCE);
const last = (await calm.call("sla")).day;
const board = await until(
  "a day after the faults is held whole, but for the dead",
  async () => {
    const now = await calm.call("sla");
    // The last of its intervals is wanted a moment after the day's end.
    const isSettled = Date.parse(now.sourceNow) > Date.parse(now.day) + DAY_AND_MINUTE_MS;
    return now.day > last && isSettled && now.meters - now.complete === silent.size && now;
  },
  PATIENCE,
);

const pool = createPool(serverConfigOf(meterkeep.stateDirectory).database, {
  applicationName: "faults",
  maxConnections: 1,
});
const faults: string[] = [];
try {
  // The day at which all are counted: the last with faults whose intervals are wanted still.
  const days = [...new Set([last, board.day])].filter((day) => day > firstDay);
  for (const day of days) {
    const { meters: gaps } = await calm.call("slaGaps", { query: { day, limit: 5_000 } });
    const missing = new Map(gaps.map((gap) => [gap.systemTitle as string, gap.missing]));
    const stored = await instantsOf(day);
    for (const meter of service) {
      const [held, lacks] = [stored.get(meter) ?? 0, missing.get(meter) ?? 0];
      if (held + lacks !== INTERVALS_A_DAY) faults.push(`${day} ${meter}: ${held} held, ${lacks} missing`);
      if (lacks > 0 && !silent.has(meter)) faults.push(`${day} ${meter}: ${lacks} missing, and it answers`);
    }
    console.log(`${day}: ${gaps.length} meters with gaps of ${service.length}, ${silent.size} are dead`);
  }
  const { rows } = await pool.query<{ n: number }>("select count(*)::integer as n from interval_corrections");
  if (rows[0]?.n !== 0) faults.push(`${rows[0]?.n} values that contradict others`);
  const audit = await auditStored(postgresLedgerStore(pool));
  if (audit.fault !== undefined) faults.push(`the ledger: ${JSON.stringify(audit.fault)}`);
  const targets = await until(
    "every command has come to an end",
    async () => {
      const { rows: open } = await pool.query<{ state: string; n: number }>(
        "select state, count(*)::integer as n from campaign_targets group by state order by state",
      );
      return open.every(({ state }) => ENDED.includes(state)) && open;
    },
    PATIENCE,
  );
  const total = targets.reduce((sum, { n }) => sum + n, 0);
  const wanted = campaigns.length * victims.length + switched.length;
  if (total < wanted) faults.push(`${total} targets, and ${wanted} were accepted`);
  await compareWithMeters(pool);
  console.log(
    `commands: ${campaigns.length} to ${victims.length} homes: ${targets.map(({ state, n }) => `${n} ${state}`).join(", ")}`,
  );
} finally {
  await pool.end();
}
console.log(
  `${meters} homes, time ${speed} times as fast, ${workers} workers, ${minutes} min of faults, load of the machine ${machineLoad()}`,
);
console.log(`injected: ${[...counts].map(([what, n]) => `${n} ${what}`).join(", ")}`);
console.log(faults.length === 0 ? "nothing lost, nothing twice" : `WRONG:\n${faults.join("\n")}`);
process.exitCode = faults.length === 0 ? 0 : 1;

/** Each command that was accepted has one end, and the meters have switched as often as those ends say. */
async function compareWithMeters(sql: ReturnType<typeof createPool>): Promise<void> {
  const ends = await sql.query<{ title: string; state: string; n: number }>(
    `select t.system_title as title, t.state, count(*)::integer as n
     from campaign_targets t join campaigns c using (utility_id, island_id, campaign_id)
     where c.direction in ('off', 'on') group by 1, 2`,
  );
  const words = await sql.query<{ said: string; n: number }>(
    `select coalesce(nullif(t.sentence, ''), c.sentence) as said, count(*)::integer as n
     from campaign_targets t join campaigns c using (utility_id, island_id, campaign_id)
     where c.direction in ('off', 'on') and t.state <> 'done' group by 1 order by 2 desc limit 10`,
  );
  for (const { said: why, n } of words.rows) console.log(`not switched: ${n} times, ${why}`);
  const acts = new Map((await town.truth()).map(({ systemTitle, switchings }) => [systemTitle, switchings]));
  const byMeter = Map.groupBy(ends.rows, ({ title }) => title);
  const byState = new Map<string, number>();
  for (const { state, n } of ends.rows) byState.set(state, (byState.get(state) ?? 0) + n);
  for (const [meter, happened] of acts) {
    const of = (state: string): number => byMeter.get(meter)?.find((row) => row.state === state)?.n ?? 0;
    const [least, most] = [of("done"), of("done") + of("uncertain") + of("failed")];
    if (happened < least || happened > most)
      faults.push(`${meter} has switched ${happened} times, and commands say ${least} to ${most}`);
  }
  console.log(
    `switched: ${switched.length} commands to ${byMeter.size} homes: ${[...byState].map(([state, n]) => `${n} ${state}`).join(", ")}; the meters count ${[...acts.values()].reduce((sum, n) => sum + n, 0)}; refused by ${[...refusals].map(([rule, n]) => `${rule} (${n})`).join(", ") || "nobody"}`,
  );
}

/** How many intervals of each meter are stored, by the export. A line that comes twice is a fault. */
async function instantsOf(day: string): Promise<ReadonlyMap<string, number>> {
  const begin = Date.parse(`${day}T00:00:00Z`);
  const from = new Date(begin + 1).toISOString();
  const to = new Date(begin + 86_400_000).toISOString();
  const answer = await fetch(
    `${meterkeep.address}/api/v1/export/intervals?format=csv&trust=all&from=${from}&to=${to}`,
    { headers: { authorization: `Bearer ${token}` } },
  );
  const seen = new Set<string>();
  const instants = new Map<string, Set<string>>();
  for (const line of (await answer.text()).split("\r\n").slice(1)) {
    const [meter, obis, unit, at] = line.split(",");
    if (meter === undefined || at === undefined) continue;
    const key = `${meter} ${obis} ${unit} ${at}`;
    if (seen.has(key)) faults.push(`twice: ${key}`);
    seen.add(key);
    instants.set(meter, (instants.get(meter) ?? new Set()).add(at));
  }
  return new Map([...instants].map(([meter, times]) => [meter, times.size]));
}

import { setTimeout as sleep } from "node:timers/promises";
import { openNats } from "@meterkeep/headend";
import { startNatsServer } from "@meterkeep/headend/testing/nats-server";
import { auditStored, postgresLedgerStore } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import { freePort } from "@meterkeep/postgres/testing";
import { type ApiClient, ownerClient, ownerToken } from "../api-client.ts";
import { askControl } from "../control-socket.ts";
import { serverConfigOf } from "../installation-files.ts";
import { NatsConsumer, toldOverHttp } from "../nats-consumer.ts";
import { processFacts } from "../process-facts.ts";
import { type Meterkeep, startMeterkeep } from "../start-meterkeep.ts";
import { compareDay } from "../stored-and-measured.ts";
import { type TownControl, townControl } from "../town-control.ts";
import { until } from "../until.ts";
import { CommandLoad } from "./command-load.ts";
import { Intruders } from "./intruders.ts";
import { KeyLoad } from "./key-load.ts";
import { any, METER_FAULTS, shuffled } from "./line-faults.ts";

/** How large the town is, how fast its time runs, and for how long everything fails. */
export interface FaultRunOptions {
  readonly meters: number;
  readonly speed: number;
  readonly minutes: number;
  readonly workers: number;
  /** Per cent of the homes that never answer again. */
  readonly deadPercent: number;
  /** How often a process is killed, and how often homes are asked and switched. */
  readonly killSeconds: number;
  readonly commandSeconds: number;
  /** As `--read-every`: seconds at the source. */
  readonly readEverySeconds?: number;
}

/** What happened. */
export interface FaultRun {
  /** What was wrong in the end, in words; nothing, where all is well. */
  readonly faults: readonly string[];
  /** How often what was done to it. */
  readonly injected: ReadonlyMap<string, number>;
  /** Values that are held, and are those that the meters have measured. */
  readonly right: number;
  readonly meters: number;
  readonly dead: number;
}

const PATIENCE = { patienceMs: 3_600_000, everyMs: 1_000 } as const;
const ROUND_MILLISECONDS = 2_000;
/** As many as a head-end collects. */
const COLLECTED_DAYS = 2;
const DAY_AND_MINUTE_MS = 86_460_000;
const CALLERS = 4;
const CONCENTRATOR = "dc-1";
const MISCHIEF = ["drop", "lie", "swap", "replay", "substitute", "double", "invent"] as const;
/** NATS is killed each so many rounds, and away for some of them. */
const [NATS_ROUNDS, NATS_AWAY_ROUNDS] = [30, 3];

/**
 * Everything that a head-end meets in the field goes wrong at once, for a while: meters that are dead, flap, answer late, twice, in another
 * order, with wrong bits or half, lose power before or after they have done what was asked, whose clocks jump and whose counters are
 * elsewhere, who are given new keys and an image meanwhile, and on whose lines somebody sends again what he heard; a concentrator that drops, lies and replays; server, custodian, workers, PostgreSQL and the concentrator killed, NATS
 * away and back; connections that say nothing, and pushes in the names of others. Meanwhile all is read and homes are commanded.
 * Then the faults end, but for the dead, and everything is counted against what the meters themselves have measured and done.
 */
export async function runFaults(options: FaultRunOptions): Promise<FaultRun> {
  const [callPort, callTlsPort] = [await freePort(), await freePort()];
  await using nats = await startNatsServer("between");
  await using meterkeep = await startMeterkeep({
    meters: options.meters,
    speed: options.speed,
    readyWithinMs: 600_000,
    options: [
      ...["--workers", String(options.workers), "--town-ways", "many", "--concentrators", "1"],
      ...["--callers", String(CALLERS), "--call-port", String(callPort), "--call-tls-port", String(callTlsPort)],
      ...["--enrolment", `127.0.0.1:${await freePort()}`, "--nats", nats.url],
      ...(options.readEverySeconds === undefined ? [] : ["--read-every", String(options.readEverySeconds)]),
    ],
  });
  const town = townControl(meterkeep.stateDirectory);
  const token = await ownerToken(meterkeep, "request", "faults");
  const service = await inService(meterkeep, options.meters);
  const homes = new Set((await town.truth()).filter(({ role }) => role === "home").map((meter) => meter.systemTitle));
  const victims = service.filter((title) => homes.has(title));
  const dead = new Set(victims.slice(0, Math.ceil((victims.length * options.deadPercent) / 100)));
  await using line = await openNats({ url: nats.url }, "consumer");
  const [consumer, enough] = [new NatsConsumer(), new AbortController()];
  const hearing = consumer.hear(line, enough.signal);

  const injected = new Map<string, number>();
  const count = (what: string): void => void injected.set(what, (injected.get(what) ?? 0) + 1);
  const commands = await CommandLoad.begin(meterkeep, token, victims, count);
  const keys = new KeyLoad(meterkeep, town, count);
  using intruders = new Intruders([meterkeep.ports.push, callPort, callTlsPort, meterkeep.ports.http]);
  await town.ask([...dead].map((meter) => ({ do: "fault", meter, fault: "drop" })));
  count("silence for ever");
  await town.ask(victims.map((meter) => ({ do: "eavesdrop", meter })));
  const everybody = await town.truth();
  commands.giveImage(everybody.filter(({ systemTitle }) => !dead.has(systemTitle)));
  const killed = ["server", "postgres", "custodian", "concentrator"].concat(
    Array.from({ length: options.workers }, (_, n) => `worker-${n + 1}`),
  );
  const firstDay = await dayAtSource(await ownerClient(meterkeep, "read", "calendar"));

  // One of each kind comes first, in an order of chance; from then on whatever comes.
  const kinds = shuffled(Object.keys(METER_FAULTS));
  const mischief = shuffled(MISCHIEF);
  const end = performance.now() + options.minutes * 60_000;
  let [killAt, commandAt] = [performance.now() + 1_000 * options.killSeconds, performance.now()];
  let isNatsAway = false;
  for (let round = 0; performance.now() < end; round += 1) {
    const living = victims.filter((meter) => !dead.has(meter));
    const truth = await town.truth().catch(() => []);
    const counters = new Map(truth.map(({ systemTitle, lastReceivedCounter }) => [systemTitle, lastReceivedCounter]));
    const chosen = new Set(Array.from({ length: Math.max(4, Math.ceil(options.meters / 10)) }, () => any(living)));
    for (const meter of chosen) {
      const kind = kinds.pop() ?? any(Object.keys(METER_FAULTS));
      const request = METER_FAULTS[kind]?.(meter, counters.get(meter) ?? 0);
      if (request !== undefined) await town.ask([request]).then(() => count(kind), noFault);
    }
    const kind = mischief.pop() ?? any(MISCHIEF);
    await tellConcentrator(meterkeep, kind, kind === "drop" ? 1 : 3).then(
      () => count(`concentrator: ${kind}`),
      noFault,
    );
    if (round % 2 === 0) await tellConcentrator(meterkeep, any(["replay", "lie", "drop"]), 2, "pushes").catch(noFault);
    intruders.drip();
    intruders.forge(meterkeep.ports.push, any(victims), new Date());
    intruders.forge(callPort, any(victims), new Date());
    count("pushes and a call in another's name");
    const turn = round % NATS_ROUNDS;
    if (turn === 1) await nats.kill().then(() => count("kill -9 of NATS"));
    if (turn === 1 + NATS_AWAY_ROUNDS) await nats.start();
    isNatsAway = turn > 0 && turn <= NATS_AWAY_ROUNDS;
    if (performance.now() >= killAt) {
      killAt = performance.now() + 1_000 * options.killSeconds;
      const name = killed.shift() as string;
      killed.push(name);
      const pid = meterkeep.pids()[name];
      if (pid !== undefined && processFacts(pid) !== undefined) {
        process.kill(pid, "SIGKILL");
        count(`kill -9 of ${name}`);
      }
    }
    if (performance.now() >= commandAt) {
      commandAt = performance.now() + 1_000 * options.commandSeconds;
      await commands.askAll(round % 2 === 0 ? "attributes" : "clock");
      commands.switchNext();
      keys.rotateNext(living);
    }
    await sleep(ROUND_MILLISECONDS);
  }
  await Promise.all([commands.rest(), keys.rest()]);
  // Whatever was sealed for any of them once, disconnects too.
  await town.ask(victims.map((meter) => ({ do: "replay", meter })));
  count("everything heard on the lines, sent once more at the end");
  await endFaults(meterkeep, town, victims, dead);
  if (isNatsAway) await nats.start();
  count(`slow connections ended by us: ${intruders.ended > 0 ? "yes" : "no"}`);

  const faults: string[] = [];
  let right = 0;
  const calm = await until("the server is there", () => ownerClient(meterkeep).catch(() => undefined), PATIENCE);
  const last = await dayAtSource(calm);
  const board = await until(
    "the day of the last faults is held whole, but for the dead",
    async () => {
      const now = await calm.call("sla").catch(() => undefined);
      if (now === undefined) return false;
      // The last of its intervals is wanted a moment after the day's end.
      const isSettled = Date.parse(now.sourceNow) > Date.parse(now.day) + DAY_AND_MINUTE_MS;
      return now.day > last && isSettled && now.meters - now.complete === dead.size && now;
    },
    PATIENCE,
  );
  const pool = createPool(serverConfigOf(meterkeep.stateDirectory).database, {
    applicationName: "faults",
    maxConnections: 1,
  });
  const wantedFrom = Date.parse(board.sourceNow) - COLLECTED_DAYS * 86_400_000;
  try {
    for (const day of [...new Set([last, board.day])].filter((one) => one > firstDay)) {
      const compared = await compareDay(meterkeep, town, { api: calm, token }, service, day);
      right += compared.right;
      faults.push(...compared.faults.map((fault) => `${day} ${fault}`));
      for (const [meter, gaps] of compared.gaps)
        if (!dead.has(meter) && gaps.some(({ to }) => to > wantedFrom))
          faults.push(`${day} ${meter}: it answers, and something is missing that is still wanted`);
      console.log(
        `${day}: ${compared.right} values as measured, ${compared.gaps.size} meters with gaps, ${dead.size} dead`,
      );
    }
    const { rows } = await pool.query<{ n: number }>("select count(*)::integer as n from interval_corrections");
    if (rows[0]?.n !== 0) faults.push(`${rows[0]?.n} values that contradict others`);
    const audit = await auditStored(postgresLedgerStore(pool));
    if (audit.fault !== undefined) faults.push(`the ledger: ${JSON.stringify(audit.fault)}`);
    faults.push(...(await commands.faults(pool, town)), ...(await announcedFaults(calm, consumer)));
    faults.push(...(await keys.faults(everybody.length, dead)));
  } finally {
    await pool.end();
    enough.abort();
    await hearing;
  }
  return { faults, injected, right, meters: service.length, dead: dead.size };
}

const noFault = (): void => undefined;

/** Every meter of the town whose takeover is proven, when each has its verdict. */
async function inService(meterkeep: Meterkeep, meters: number): Promise<readonly string[]> {
  const api = await ownerClient(meterkeep, "read", "takeovers");
  await until(
    "every takeover has its verdict",
    async () => {
      const lines = await api.meters();
      return lines.length > meters && lines.every(({ takeover }) => takeover === "proven" || takeover === "refused");
    },
    PATIENCE,
  );
  return (await api.meters()).filter(({ takeover }) => takeover === "proven").map(({ systemTitle }) => systemTitle);
}

async function dayAtSource(api: ApiClient): Promise<string> {
  const sla = await until("somebody tells the day", () => api.call("sla").catch(() => undefined), PATIENCE);
  return sla.day;
}

async function tellConcentrator(
  { stateDirectory }: Meterkeep,
  kind: string | null,
  times: number,
  to: "answers" | "pushes" = "answers",
): Promise<void> {
  const request = { concentrator: CONCENTRATOR, do: "misbehave", kind, times, to };
  await askControl(`${stateDirectory}/concentrator/control.sock`, [request]);
}

/** Lines are whole again, clocks are right, the concentrator is honest; the dead stay so. */
async function endFaults(
  meterkeep: Meterkeep,
  town: TownControl,
  victims: readonly string[],
  dead: ReadonlySet<string>,
): Promise<void> {
  await until(
    "the concentrator is honest",
    () => tellConcentrator(meterkeep, null, 0).then(() => true, noFault),
    PATIENCE,
  );
  await town.ask(victims.filter((meter) => !dead.has(meter)).map((meter) => ({ do: "fault", meter, fault: null })));
  for (const { systemTitle: meter, clockOffsetSeconds } of await town.truth())
    if (clockOffsetSeconds !== 0) await town.ask([{ do: "roll-clock", meter, seconds: -clockOffsetSeconds }]);
}

/** All that was told is heard at NATS, in order and once, though it was away. */
async function announcedFaults(api: ApiClient, consumer: NatsConsumer): Promise<readonly string[]> {
  const { origin, origins } = await api.call("announcements", { query: { limit: 1 } });
  const last = origins[0]?.last ?? 0;
  await until("everything told so far has been heard", () => (consumer.heard.get(origin)?.last ?? 0) >= last, PATIENCE);
  const told = await toldOverHttp(api, origin, last);
  const heard = (consumer.heard.get(origin)?.bodies ?? []).slice(0, last).map((body) => JSON.parse(body) as unknown);
  console.log(`announcements: ${last} told and heard, ${consumer.again} heard again`);
  return [
    ...(consumer.gaps === 0 ? [] : [`${consumer.gaps} announcements were left out over NATS`]),
    ...(JSON.stringify(told) === JSON.stringify(heard) ? [] : ["what was heard over NATS is not what was told"]),
  ];
}

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { RouteAnswer } from "@meterkeep/api";
import { type Consignment, openNats } from "@meterkeep/headend";
import { startNatsServer } from "@meterkeep/headend/testing/nats-server";
import { auditStored, postgresLedgerStore } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import { freePort } from "@meterkeep/postgres/testing";
import type { Pool } from "pg";
import { type ApiClient, ownerClient, ownerToken } from "../src/api-client.ts";
import { METER_FAULTS, shuffled } from "../src/faults/line-faults.ts";
import { serverConfigOf } from "../src/installation-files.ts";
import { NatsConsumer, toldOverHttp } from "../src/nats-consumer.ts";
import { processFacts } from "../src/process-facts.ts";
import { type RemoteWorkerUnderTest, startRemoteWorker } from "../src/remote-worker.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { compareDay } from "../src/stored-and-measured.ts";
import { type TownControl, townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

const METERS = 32;
const WORKERS = 2;
/** One more is on another machine, as far as it can tell. */
const FAR = "far-1";
/** The last meters of the field: every second one calls over mutual TLS. */
const CALLERS = 4;
/** Every way that there is, as the head-end names it: three by address, one behind a concentrator, two that the meter makes. */
const WAYS = [/^udp:/, /^hdlc:/, /^tcp:.*gateway=/, /^concentrator:/, /^dial-in:/];
const KILLS = 8;
const LONGEST_PAUSE_MS = 1_500;
const DAY_MS = 86_400_000;
const DAY_AND_MINUTE_MS = DAY_MS + 60_000;
const INTERVALS_A_DAY = 96;
const PATIENCE = { patienceMs: 300_000, everyMs: 250 } as const;

function workersOf(meterkeep: Meterkeep): readonly number[] {
  return Object.entries(meterkeep.pids()).flatMap(([name, pid]) =>
    name.startsWith("worker-") && processFacts(pid) !== undefined ? [pid] : [],
  );
}

/** Everything that the custodian has written since an entry, a page at a time, and where the next page begins. */
async function custodianEntries(api: ApiClient, after: number) {
  const { entries } = await api.call("ledger", { query: { source: "custodian", after, limit: 500 } });
  return { entries, last: Math.max(after, ...entries.map(({ sequence }) => sequence)) };
}

/** Waits until the far worker alone has held sessions over every way: those of a kept connection go over the gate, too. */
async function heldSessionsOverEachWay(api: ApiClient): Promise<void> {
  const ways = await waysOfMeters(api);
  const held = new Set<RegExp>();
  let from = 0;
  await until(
    `${FAR} has held sessions over every way`,
    async () => {
      const { entries, last } = await custodianEntries(api, from);
      from = last;
      for (const { kind, principal, meter } of entries) {
        const way = ways.get(meter ?? "");
        if (kind === "session-opened" && principal === `worker:${FAR}` && way !== undefined) held.add(way);
      }
      return held.size === WAYS.length;
    },
    PATIENCE,
  );
}

/** Who removes a worker has it gone, and the others go on. */
async function removed(meterkeep: Meterkeep, api: ApiClient, far: RemoteWorkerUnderTest, pool: Pool): Promise<void> {
  const present = async (): Promise<number> => {
    const { rows } = await pool.query<{ count: number }>(
      "select count(*)::integer as count from pg_locks where locktype = 'advisory' and classid = x'776f726b'::integer and granted",
    );
    return rows[0]!.count;
  };
  await until("everybody is present", async () => (await present()) === WORKERS + 2, PATIENCE);
  const { status, stderr } = await meterkeep.command(["worker", "remove", FAR]);
  assert.equal(status, 0, stderr);
  await until("it has lost the database", async () => (await present()) === WORKERS + 1, PATIENCE);
  let from = (await api.call("ledger", { query: { source: "custodian", limit: 1 } })).entries[0]!.sequence;
  const others = new Set<string>();
  await until(
    "the others go on without it",
    async () => {
      const { entries, last } = await custodianEntries(api, from);
      from = last;
      for (const { kind, principal } of entries) if (kind === "session-opened") others.add(principal);
      assert.ok(!others.has(`worker:${FAR}`), "it has opened a session after it was removed");
      return others.has("head-end");
    },
    PATIENCE,
  );
  assert.notEqual((await far.joinAgain()).status, 0, "its ticket is used up");
}

function farWorkerOf(far: RemoteWorkerUnderTest): readonly number[] {
  const pid = far.pid();
  return pid !== undefined && processFacts(pid) !== undefined ? [pid] : [];
}

/** It is told of no file of the Meterkeep it works for, and started by root it could open none. */
function assertApart(meterkeep: Meterkeep, far: RemoteWorkerUnderTest): void {
  const config = readFileSync(`${far.stateDirectory}/worker/config.json`, "utf8");
  assert.ok(!config.includes(meterkeep.stateDirectory));
  if (process.getuid?.() !== 0) return;
  const own = statSync(`${meterkeep.stateDirectory}/head-end`).uid;
  const { uid } = processFacts(far.pid()!)!;
  assert.ok(uid !== 0 && uid !== own);
}

/** What another island tells. */
const FOREIGN: Consignment = {
  origin: "neighbour/island/0000000a",
  announcements: [{ sequence: 1, at: 0, kind: "trust", meter: "4D4B560000000001", body: '{"state":"trusted"}' }],
};

/** The way to each meter that is reached by one of them, by where it is read. */
async function waysOfMeters(api: ApiClient): Promise<ReadonlyMap<string, RegExp>> {
  const found = new Map<string, RegExp>();
  for (const { systemTitle, role } of await api.meters()) {
    if (role === "attached") continue;
    const { destinations } = await api.call("meter", { params: { systemTitle } });
    const read = destinations.find(({ purpose }) => purpose === "read")?.address ?? "";
    const way = WAYS.find((one) => one.test(read));
    if (way !== undefined) found.set(systemTitle, way);
  }
  assert.deepEqual(
    [...new Set(found.values())].toSorted(),
    [...WAYS].toSorted(),
    "every way is one that was read over",
  );
  return found;
}

/** Of every day since the kills began all is stored as the meters themselves measured it, but for what is told to be missing. */
async function assertAsMeasured(meterkeep: Meterkeep, api: ApiClient, first: string, last: string): Promise<void> {
  const town = townControl(meterkeep.stateDirectory);
  const token = await ownerToken(meterkeep, "read", "truth");
  const meters = (await api.meters()).filter(({ takeover }) => takeover === "proven").map((meter) => meter.systemTitle);
  let held = 0;
  for (let day = Date.parse(first); day <= Date.parse(last); day += DAY_MS) {
    const text = new Date(day).toISOString().slice(0, 10);
    const { right, faults } = await compareDay(meterkeep, town, { api, token }, meters, text);
    assert.deepEqual(faults, []);
    held = right;
  }
  assert.ok(held >= meters.length * INTERVALS_A_DAY, `${held} values of the last day`);
}

/** The first day after another that is over and held whole: what failed on it may be fetched on the next. */
async function wholeDayAfter(api: ApiClient, before: string): Promise<RouteAnswer<"sla"> | undefined> {
  const { day: newest } = await api.call("sla");
  for (let at = Date.parse(before) + DAY_MS; at <= Date.parse(newest); at += DAY_MS) {
    const sla = await api.call("sla", { query: { day: new Date(at).toISOString().slice(0, 10) } });
    // The last of its intervals is wanted a moment after the day's end.
    const isSettled = Date.parse(sla.sourceNow) > at + DAY_AND_MINUTE_MS;
    if (isSettled && sla.wanted > 0 && sla.missing === 0 && sla.powerQuality?.missing === 0) return sla;
  }
  return undefined;
}

/** A clock that jumped has its meter say other days than it measured; how that is told the bench of faults looks at. */
const LINE_FAULTS = Object.keys(METER_FAULTS).filter((kind) => kind !== "clock jump");
/**
 * What loses no answer. A concentrator is silent about a meter's line that breaks, and silence behind it is waited for as long as
 * power-line carrier takes, which is more than a day of this town: a meter there that loses two answers keeps this test for
 * four minutes.
 */
const ANSWERED_ALL_THE_SAME = [
  "late answer",
  "answer twice",
  "counter ahead",
  "requests heard before, sent again",
  "alarm",
];

/** Titles of those that are read through a concentrator. */
async function behindConcentrators(api: ApiClient, titles: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const systemTitle of titles) {
    const { destinations } = await api.call("meter", { params: { systemTitle } });
    if (destinations.some(({ purpose, address }) => purpose === "read" && address.startsWith("concentrator:")))
      found.add(systemTitle);
  }
  return found;
}

/**
 * Asks all homes for their clocks while each of them, or its line, fails in a way of its own: every way occurs. The bench of faults
 * (`test/bench/faults.bench.ts`) in short. @returns how many were asked, and the campaign
 */
async function askedWhileAllFails(meterkeep: Meterkeep, town: TownControl) {
  const truth = (await town.truth()).filter(({ role }) => role === "home");
  const api = await ownerClient(meterkeep, "request", "asks while all fails");
  const taken = new Set((await api.meters()).filter(({ takeover }) => takeover === "proven").map((m) => m.systemTitle));
  const all = truth.filter(({ systemTitle }) => taken.has(systemTitle));
  const behind = await behindConcentrators(
    api,
    all.map(({ systemTitle }) => systemTitle),
  );
  const [others, last] = [false, true].map((is) => all.filter(({ systemTitle }) => behind.has(systemTitle) === is));
  assert.ok(last!.length > 0 && others!.length >= LINE_FAULTS.length, `${others!.length} homes fail in all ways`);
  const homes = [...others!, ...last!];
  await town.ask(homes.map(({ systemTitle: meter }) => ({ do: "eavesdrop", meter })));
  const kinds = shuffled(LINE_FAULTS);
  const kindOf = (title: string, at: number): string => {
    const kind = kinds[at % kinds.length] as string;
    return behind.has(title) ? (ANSWERED_ALL_THE_SAME[at % ANSWERED_ALL_THE_SAME.length] as string) : kind;
  };
  await town.ask(
    homes.map(({ systemTitle, lastReceivedCounter }, at) =>
      METER_FAULTS[kindOf(systemTitle, at)]!(systemTitle, lastReceivedCounter),
    ),
  );
  const { campaign } = await api.call("createCommand", {
    body: {
      operation: "attributes",
      parameters: { attributes: [{ classId: 8, object: "0-0:1.0.0", attribute: 2 }] },
      selection: { kind: "list", meters: homes.map(({ systemTitle }) => systemTitle) },
      reason: "maintenance",
      hours: 0.1,
    },
  });
  return { campaign: campaign.id, homes: homes.map(({ systemTitle }) => systemTitle) };
}

/** Every home that was asked has one end of that, and nobody has switched anything. */
async function assertNothingLost(
  pool: Pool,
  town: TownControl,
  { campaign, homes }: Awaited<ReturnType<typeof askedWhileAllFails>>,
): Promise<void> {
  const targets = await until(
    "every command has come to an end",
    async () => {
      const { rows } = await pool.query<{ title: string; state: string }>(
        "select upper(system_title) as title, state from campaign_targets where campaign_id = $1",
        [campaign],
      );
      return rows.every(({ state }) => ["done", "failed", "stale"].includes(state)) && rows;
    },
    PATIENCE,
  );
  assert.deepEqual(targets.map(({ title }) => title).toSorted(), homes.toSorted());
  const done = targets.filter(({ state }) => state === "done").length;
  assert.ok(done > homes.length / 2, `${done} of ${homes.length} were read`);
  assert.deepEqual([...new Set((await town.truth()).map(({ switchings }) => switchings))], [0]);
}

test("workers that are killed at any moment, and whoever holds the lines of some meters, lose nothing, and nothing that matters is done twice, whatever way leads to a meter and however it fails", async () => {
  await using nats = await startNatsServer("between");
  await using meterkeep = await startMeterkeep({
    meters: METERS,
    speed: 900,
    options: [
      // Few at once, so that each worker has its share of what comes due together.
      ...[
        "--workers",
        String(WORKERS),
        "--sessions",
        "4",
        "--town-ways",
        "many",
        "--concentrators",
        "1",
        "--callers",
        String(CALLERS),
      ],
      ...[
        "--nats",
        nats.url,
        "--nats-hears",
        "yes",
        "--call-port",
        String(await freePort()),
        "--call-tls-port",
        String(await freePort()),
      ],
      ...["--worker-gate", `127.0.0.1:${await freePort()}`, "--enrolment", `127.0.0.1:${await freePort()}`],
    ],
  });
  await using far = await startRemoteWorker(meterkeep, FAR);
  assertApart(meterkeep, far);
  const api = await ownerClient(meterkeep);
  await using line = await openNats({ url: nats.url }, "consumer");
  const consumer = new NatsConsumer();
  const enough = new AbortController();
  const hearing = consumer.hear(line, enough.signal);
  await until("meters are under way", async () => (await api.meters()).length > 0, PATIENCE);
  const first = (await api.call("sla")).day;
  // Takeovers and readings are under way meanwhile, and everybody's turn to die comes when it comes.
  for (let kill = 0; kill < KILLS; kill += 1) {
    await sleep(Math.random() * LONGEST_PAUSE_MS);
    const alive = await until(
      "a worker lives",
      () => {
        // The far one's turn comes twice.
        const pids = kill % 4 === 1 ? farWorkerOf(far) : workersOf(meterkeep);
        return pids.length > 0 && pids;
      },
      PATIENCE,
    );
    process.kill(alive[Math.floor(Math.random() * alive.length)]!, "SIGKILL");
    // What lets the far one in is back as soon as it is started again.
    if (kill === KILLS - 2) process.kill(meterkeep.pids()["gate"]!, "SIGKILL");
    // Once the one that holds the connections dies as well: those to concentrators are made anew, and meters call again.
    if (kill === KILLS / 4) await nats.kill();
    if (kill === KILLS - 1) await nats.start();
    if (kill === KILLS / 2) process.kill(meterkeep.pids()["server"]!, "SIGKILL");
  }
  await until("the API answers", () => api.call("health").catch(() => undefined), PATIENCE);
  await until(
    "every worker is back",
    () => workersOf(meterkeep).length === WORKERS && farWorkerOf(far).length === 1,
    PATIENCE,
  );
  await until(
    "every takeover has its verdict",
    async () => (await api.meters()).every(({ takeover }) => takeover === "proven" || takeover === "refused"),
    PATIENCE,
  );
  const town = townControl(meterkeep.stateDirectory);
  const begun = (await api.call("sla")).day;
  // While the day goes by that is to be held whole.
  const asked = await askedWhileAllFails(meterkeep, town);
  const board = await until(
    "a day that began after the kills is held whole, though everything failed meanwhile",
    () => wholeDayAfter(api, begun),
    PATIENCE,
  );
  await heldSessionsOverEachWay(api);
  const inService = (await api.meters()).filter(({ takeover }) => takeover === "proven").length;
  assert.equal(board.meters + board.notInService, (await api.meters()).length);
  assert.ok(board.meters >= inService);
  assert.deepEqual((await api.call("slaGaps", { query: { day: board.day } })).meters, []);
  await assertAsMeasured(meterkeep, api, first, board.day);
  const { origin } = await api.call("announcements", { query: { limit: 1 } });
  const { last } = (await api.call("announcements", { query: { limit: 1 } })).origins[0]!;
  await until("everything told so far has been heard", () => (consumer.heard.get(origin)?.last ?? 0) >= last, PATIENCE);
  assert.equal(consumer.gaps, 0, "nothing that was told is missing over NATS, which was away meanwhile");
  const bodies = consumer.heard.get(origin)!.bodies.slice(0, last);
  assert.deepEqual(
    bodies.map((body) => JSON.parse(body) as unknown),
    await toldOverHttp(api, origin, last),
  );
  await line.carry(FOREIGN);
  await until(
    "what another island tells is heard, and told on over HTTP",
    async () => (await api.call("announcements", { query: { origin: FOREIGN.origin } })).announcements.length === 1,
    PATIENCE,
  );
  enough.abort();
  await hearing;
  const pool = createPool(serverConfigOf(meterkeep.stateDirectory).database, {
    applicationName: "workers test",
    maxConnections: 1,
  });
  try {
    await assertNothingLost(pool, town, asked);
    const { rows } = await pool.query("select count(*)::integer as contradicted from interval_corrections");
    assert.deepEqual(rows, [{ contradicted: 0 }]);
    await removed(meterkeep, api, far, pool);
    assert.equal((await auditStored(postgresLedgerStore(pool))).fault, undefined);
  } finally {
    await pool.end();
  }
});

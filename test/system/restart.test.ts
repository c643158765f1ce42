import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { createPool } from "@meterkeep/postgres";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { assertCustodyIsWhole } from "../src/custody-check.ts";
import { custodianConfigOf } from "../src/installation-files.ts";
import { processFacts } from "../src/process-facts.ts";
import { type Meterkeep, makeStateDirectory, startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

const HOMES = 12;
const METERS = HOMES + 4;

/** What must go on and never back. */
interface Standing {
  readonly meters: readonly string[];
  /** Journals by meter: a new takeover, or a change of an old one, would show. */
  readonly takeovers: ReadonlyMap<string, string>;
  readonly keys: number;
  /** The next counter that was never reserved, by meter and key version. */
  readonly sendCounters: ReadonlyMap<string, number>;
  /** The highest counter that the meter itself has accepted. */
  readonly received: ReadonlyMap<string, number>;
  readonly ledger: number;
  readonly intervals: number;
  readonly townTime: number;
}

async function standing(meterkeep: Meterkeep, api: ApiClient): Promise<Standing> {
  const pool = createPool(custodianConfigOf(meterkeep.stateDirectory).database, { applicationName: "restart test" });
  const text = async (sql: string): Promise<ReadonlyMap<string, string>> => {
    const { rows } = await pool.query<{ name: string; value: string }>(sql);
    return new Map(rows.map(({ name, value }) => [name, value]));
  };
  try {
    const title = "upper(encode(system_title, 'hex'))";
    const counters = await text(
      `select ${title} || '/' || key_version as name, next::text as value from send_counters`,
    );
    const counts = await text(
      "select 'keys' as name, count(*)::text as value from meter_keys union all select 'ledger', max(sequence)::text from ledger",
    );
    const overview = await api.call("overview");
    const truth = await townControl(meterkeep.stateDirectory).truth();
    return {
      meters: overview.meters.map(({ systemTitle }) => systemTitle).sort(),
      takeovers: await text(`select ${title} as name, revision || ' ' || journal as value from takeovers`),
      keys: Number(counts.get("keys")),
      sendCounters: new Map([...counters].map(([name, next]) => [name, Number(next)])),
      received: new Map(truth.map(({ systemTitle, lastReceivedCounter }) => [systemTitle, lastReceivedCounter])),
      ledger: Number(counts.get("ledger")),
      intervals: overview.counts.intervalsAll,
      townTime: Date.parse(overview.clock.now),
    };
  } finally {
    await pool.end();
  }
}

/** The second standing follows from the first by reading alone. */
function assertWentOn(first: Standing, second: Standing): void {
  assert.deepEqual(second.meters, first.meters);
  assert.deepEqual(second.takeovers, first.takeovers);
  assert.equal(second.keys, first.keys);
  for (const [name, next] of first.sendCounters) assert.ok(second.sendCounters.get(name)! >= next, name);
  for (const [meter, counter] of first.received) assert.ok(second.received.get(meter)! > counter, meter);
  assert.ok(second.ledger > first.ledger);
  assert.ok(second.intervals > first.intervals);
  assert.ok(second.townTime > first.townTime);
}

/** Processes that belong to a state directory: their command line names it, or they are children of its PostgreSQL. */
function left(stateDirectory: string, known: readonly number[] = []): string[] {
  const all = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (processFacts(Number(name)) ?? []) : []));
  const named = all.filter(({ commandLine, pid }) => commandLine.includes(`${stateDirectory}/`) || known.includes(pid));
  const parents = new Set(named.map(({ pid }) => pid));
  return all
    .filter(({ pid, parent, commandLine }) => {
      const guard = commandLine.startsWith("/bin/sh -c") && commandLine.includes("guardian");
      return !guard && (parents.has(pid) || parents.has(parent));
    })
    .map(({ pid, commandLine }) => `${pid} ${commandLine.slice(0, 120)}`);
}

/** Process ids of the custodian and its standby that are there. */
function custodians(meterkeep: Meterkeep): number[] {
  const { custodian, standby } = meterkeep.pids();
  return [custodian, standby].flatMap((pid) => (pid !== undefined && processFacts(pid) !== undefined ? [pid] : []));
}

/** The process that the database knows as the custodian. */
async function custodianOf(stateDirectory: string): Promise<number> {
  const pool = createPool(custodianConfigOf(stateDirectory).database, { applicationName: "restart test" });
  try {
    const { rows } = await pool.query<{ holder: string }>("select holder from custodian_instance");
    return Number(rows[0]?.holder.split(" ").at(-1));
  } finally {
    await pool.end();
  }
}

/** Whether a process was there to get the signal. */
function strike(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

async function readAgain(meterkeep: Meterkeep, api: ApiClient, first: Standing): Promise<Standing> {
  return await until(
    "every meter has been read again",
    async () => {
      const now = await standing(meterkeep, api);
      const all = [...first.received].every(([meter, counter]) => now.received.get(meter)! > counter);
      return all && now.intervals > first.intervals && now;
    },
    { everyMs: 500 },
  );
}

describe("stopping and starting", () => {
  const stateDirectory = makeStateDirectory();
  let meterkeep: Meterkeep;
  let api: ApiClient;
  let first: Standing;

  before(async () => {
    meterkeep = await startMeterkeep({ meters: HOMES, stateDirectory });
    api = await ownerClient(meterkeep);
    await until("all meters are taken over and read", async () => {
      const meters = await api.meters();
      return meters.length === METERS && meters.every((one) => one.takeover === "proven" && one.powerW !== undefined);
    });
  });
  after(async () => {
    await meterkeep.stop();
    rmSync(stateDirectory, { recursive: true, force: true });
  });

  const again = async (options: readonly string[] = []): Promise<void> => {
    meterkeep = await startMeterkeep({ meters: HOMES, stateDirectory, ports: meterkeep.ports, options });
  };

  test("Ctrl-C closes everything in order: status 0, and no process is left", async () => {
    first = await standing(meterkeep, api);
    const pids = Object.values(meterkeep.pids());
    assert.ok(left(stateDirectory).length >= pids.length);
    // A terminal sends it to the whole group.
    process.kill(-meterkeep.pid, "SIGINT");
    assert.equal(await meterkeep.stop(), 0);
    assert.deepEqual(left(stateDirectory, [meterkeep.pid, ...pids]), []);
  });

  test("the second start goes on where it was: same meters, no new takeover, counters and time only forward", async () => {
    const { townTime } = first;
    await again();
    const { now } = await until("the town's clock is known", async () => {
      const { clock } = await api.call("overview");
      return clock.simulated && clock;
    });
    assert.ok(Date.parse(now) >= townTime, `${now} is before ${new Date(townTime).toISOString()}`);
    assertWentOn(first, await readAgain(meterkeep, api, first));
    await assertCustodyIsWhole(stateDirectory, METERS);
  });

  test("a second Meterkeep in the same state directory is refused, and harms the first in nothing", async () => {
    const before = meterkeep.pids();
    const { status, stderr } = await meterkeep.command(["start", "--state", stateDirectory, "--port", "8421"]);
    assert.notEqual(status, 0);
    assert.match(stderr, /already-running/);
    assert.deepEqual(meterkeep.pids(), before);
    assert.equal((await api.call("overview")).meters.length, METERS);
  });

  test("kill -9 of the supervisor leaves no process of ours, and the next start goes on", async () => {
    first = await standing(meterkeep, api);
    const pids = Object.values(meterkeep.pids());
    const killed = meterkeep;
    await killed.kill();
    await until("nothing is left", () => left(stateDirectory, pids).length === 0).catch(() =>
      assert.deepEqual(left(stateDirectory, pids), []),
    );
    await again();
    assertWentOn(first, await readAgain(meterkeep, api, first));
    await assertCustodyIsWhole(stateDirectory, METERS);
  });

  test("kill -9 of everything at once, and the next start goes on", async () => {
    first = await standing(meterkeep, api);
    const pids = Object.values(meterkeep.pids());
    // Some may notice that another has gone, and go before their turn comes.
    for (const pid of [meterkeep.pid, ...pids]) strike(pid, "SIGKILL");
    await until("nothing is left", () => left(stateDirectory, pids).length === 0);
    await again(["--standby", "10"]);
    assertWentOn(first, await readAgain(meterkeep, api, first));
    await assertCustodyIsWhole(stateDirectory, METERS);
  });

  test("a custodian that is killed, or that hangs, is followed by its standby: everything goes on, counters only forward", async () => {
    for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
      await until("a custodian works and another stands by", () => custodians(meterkeep).length === 2);
      first = await standing(meterkeep, api);
      const struck = await until("the custodian is struck", async () => {
        const pid = await custodianOf(stateDirectory);
        return strike(pid, signal) && pid;
      });
      await until("another has taken its place", async () => (await custodianOf(stateDirectory)) !== struck);
      await until("the former is gone", () => processFacts(struck) === undefined);
      assertWentOn(first, await readAgain(meterkeep, api, first));
    }
    await assertCustodyIsWhole(stateDirectory, METERS);
    // Whichever of the two it is in the end, everything closes in order.
    const pids = Object.values(meterkeep.pids());
    assert.equal(await meterkeep.stop(), 0);
    assert.deepEqual(left(stateDirectory, [meterkeep.pid, ...pids]), []);
  });
});

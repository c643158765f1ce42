import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { auditStored, postgresLedgerStore } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import { ownerClient } from "../src/api-client.ts";
import { serverConfigOf } from "../src/installation-files.ts";
import { processFacts } from "../src/process-facts.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { until } from "../src/until.ts";

const METERS = 24;
const WORKERS = 3;
const KILLS = 8;
const LONGEST_PAUSE_MS = 1_500;
const DAY_AND_MINUTE_MS = 86_460_000;
const PATIENCE = { patienceMs: 300_000, everyMs: 250 } as const;

function workersOf(meterkeep: Meterkeep): readonly number[] {
  return Object.entries(meterkeep.pids()).flatMap(([name, pid]) =>
    name.startsWith("worker-") && processFacts(pid) !== undefined ? [pid] : [],
  );
}

test("workers that are killed at any moment lose nothing, and nothing that matters is done twice", async () => {
  await using meterkeep = await startMeterkeep({
    meters: METERS,
    speed: 900,
    options: ["--workers", String(WORKERS)],
  });
  const api = await ownerClient(meterkeep);
  await until("meters are under way", async () => (await api.meters()).length > 0, PATIENCE);
  // Takeovers and readings are under way meanwhile, and everybody's turn to die comes when it comes.
  for (let kill = 0; kill < KILLS; kill += 1) {
    await sleep(Math.random() * LONGEST_PAUSE_MS);
    const alive = await until(
      "a worker lives",
      () => {
        const pids = workersOf(meterkeep);
        return pids.length > 0 && pids;
      },
      PATIENCE,
    );
    process.kill(alive[Math.floor(Math.random() * alive.length)]!, "SIGKILL");
  }
  await until("every worker is back", () => workersOf(meterkeep).length === WORKERS, PATIENCE);
  await until(
    "every takeover has its verdict",
    async () => (await api.meters()).every(({ takeover }) => takeover === "proven" || takeover === "refused"),
    PATIENCE,
  );
  const begun = (await api.call("sla")).day;
  const board = await until(
    "a day that began after the kills is held whole",
    async () => {
      const sla = await api.call("sla");
      // The last of its intervals is wanted a moment after the day's end.
      const isSettled = Date.parse(sla.sourceNow) > Date.parse(sla.day) + DAY_AND_MINUTE_MS;
      return sla.day > begun && isSettled && sla.wanted > 0 && sla.missing === 0 && sla;
    },
    PATIENCE,
  );
  const inService = (await api.meters()).filter(({ takeover }) => takeover === "proven").length;
  assert.equal(board.meters + board.notInService, (await api.meters()).length);
  assert.ok(board.meters >= inService);
  assert.deepEqual((await api.call("slaGaps", { query: { day: board.day } })).meters, []);
  const pool = createPool(serverConfigOf(meterkeep.stateDirectory).database, {
    applicationName: "workers test",
    maxConnections: 1,
  });
  try {
    const { rows } = await pool.query("select count(*)::integer as contradicted from interval_corrections");
    assert.deepEqual(rows, [{ contradicted: 0 }]);
    assert.equal((await auditStored(postgresLedgerStore(pool))).fault, undefined);
  } finally {
    await pool.end();
  }
});

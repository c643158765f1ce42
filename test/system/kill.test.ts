import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { TakeoverStep } from "@meterkeep/api/custodian";
import { createPool } from "@meterkeep/postgres";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { assertCustodyIsWhole } from "../src/custody-check.ts";
import { custodianConfigOf } from "../src/installation-files.ts";
import { processFacts } from "../src/process-facts.ts";
import { type Meterkeep, makeStateDirectory, startMeterkeep } from "../src/start-meterkeep.ts";
import { armHolds, HELD_STEPS, type HeldStep, HOMES, type Hold } from "../src/takeover-holds.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

const METERS = HOMES + 4;
/** How late a held meter answers: longer than it takes until all are held, shorter than anybody's patience with a meter. */
const HOLD_MS = 16_000;
const GRACE_MS = 3_000;
const MOST_KILLS = 6;
const RECOVERY_PATIENCE_MS = 300_000;

/** What is killed at one moment. The server carries nothing for the depot's meters, nor the depot for others: those die together. */
const VICTIMS = [["custodian"], ["server", "depot"], ["town"], ["postgres"], ["supervisor"]] as const;
type Victims = (typeof VICTIMS)[number];

/** At which step a takeover stands by the custodian's journal, which is durable before the octets of the step leave. */
async function stepsByJournal(pool: ReturnType<typeof createPool>): Promise<ReadonlyMap<string, TakeoverStep>> {
  const { rows } = await pool.query<{ title: string; step: TakeoverStep | null }>(
    `select upper(encode(system_title, 'hex')) as title, journal::jsonb #>> '{contact,step}' as step from takeovers`,
  );
  return new Map(rows.flatMap(({ title, step }) => (step === null ? [] : [[title, step]])));
}

/** Starts a town whose honest meters all stop at one of the steps of their takeover, and waits until they do. */
async function startHeld(stateDirectory: string, planned: readonly HeldStep[]) {
  const starting = startMeterkeep({ meters: HOMES, stateDirectory });
  const [meterkeep, holds] = await Promise.all([starting, armHolds(townControl(stateDirectory), planned, HOLD_MS)]);
  const { database } = custodianConfigOf(stateDirectory);
  const pool = createPool(database, { applicationName: "kill test", maxConnections: 1 });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => pool.end());
  // A database may be slow to greet the first time on a busy machine.
  await until("the journal can be read", () => pool.query("select").then(Boolean, () => undefined));
  const begun = performance.now();
  let best = { steps: 0, at: begun };
  for (;;) {
    const steps = await stepsByJournal(pool);
    const reached = holds.filter(({ meter, step }) => steps.get(meter) === step);
    const now = performance.now();
    const count = new Set(reached.map(({ step }) => step)).size;
    if (count > best.steps) best = { steps: count, at: now };
    // Where no further step is reached for a while, those that came first would go on before the others come.
    const isTime = now - best.at > GRACE_MS && (best.steps > 0 || now - begun > HOLD_MS);
    if (reached.length === holds.length || isTime) return { meterkeep, holds, reached };
    await sleep(100);
  }
}

async function kill(meterkeep: Meterkeep, victims: Victims): Promise<Meterkeep> {
  const before = meterkeep.pids();
  if (victims[0] !== "supervisor") {
    for (const victim of victims) process.kill(before[victim]!, "SIGKILL");
    await until(`the ${victims.join(" and ")} is back`, () => {
      const now = meterkeep.pids();
      return victims.every(
        (victim) =>
          now[victim] !== undefined && now[victim] !== before[victim] && processFacts(now[victim]) !== undefined,
      );
    });
    return meterkeep;
  }
  await meterkeep.kill();
  const ours = Object.entries(before).filter(([name]) => name !== "postgres");
  await until("the processes have noticed that their supervisor is dead", () =>
    ours.every(([, pid]) => processFacts(pid) === undefined),
  );
  return await startMeterkeep({ stateDirectory: meterkeep.stateDirectory, ports: meterkeep.ports });
}

/** Everything that must be so in the end, whatever was killed. */
async function assertNothingIsLost(meterkeep: Meterkeep, api: ApiClient, holds: readonly Hold[]): Promise<void> {
  const meters = await until(
    "every takeover has its verdict",
    async () => {
      const all = await api.meters().catch(() => []);
      return all.length === METERS && all.every(({ takeover }) => ["proven", "refused"].includes(takeover)) && all;
    },
    { patienceMs: RECOVERY_PATIENCE_MS, everyMs: 250 },
  ).catch(async (error: unknown) => {
    const left = (await api.meters()).filter(({ takeover }) => !["proven", "refused"].includes(takeover));
    const told = left.map(({ systemTitle, takeoverPhase, trustSentence }) => {
      const hold = holds.find(({ meter }) => meter === systemTitle);
      return `${systemTitle} (${hold?.path} ${hold?.profile}, held at ${hold?.step}): ${takeoverPhase}; ${trustSentence}`;
    });
    throw new Error(`${String(error)}\n${told.join("\n")}`);
  });
  const honest = new Map(holds.map((hold) => [hold.meter, hold]));
  const liars = meters.filter(({ systemTitle }) => !honest.has(systemTitle));
  assert.deepEqual(
    liars.map(({ takeover, trust }) => `${takeover}, ${trust}`),
    Array(2).fill("refused, quarantined"),
  );
  const verdicts = await Promise.all(liars.map(({ systemTitle }) => api.call("meter", { params: { systemTitle } })));
  assert.deepEqual(verdicts.map(({ takeover }) => takeover.verdict).sort(), ["keeps-factory-keys", "keeps-master-key"]);
  for (const { systemTitle, takeover, trust } of meters) {
    const hold = honest.get(systemTitle);
    if (hold === undefined) continue;
    const expected = `proven, ${hold.path === "depot" ? "trusted" : "provisional"}`;
    assert.equal(`${takeover}, ${trust}`, expected, `${systemTitle}, held at ${hold.step} on ${hold.path}`);
  }
  for (const { meter } of holds) {
    await until(
      `${meter} is read under its new keys`,
      async () => (await api.call("meter", { params: { systemTitle: meter } })).intervals.held > 0,
      { everyMs: 250 },
    );
  }
  await assertCustodyIsWhole(meterkeep.stateDirectory, METERS);
}

/** Kills once, asserts that nothing is lost, and gives the steps at which meters stood at that moment. */
async function killOnce(
  context: TestContext,
  victims: Victims,
  planned: readonly HeldStep[],
): Promise<ReadonlySet<TakeoverStep>> {
  const stateDirectory = makeStateDirectory();
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rmSync(stateDirectory, { recursive: true, force: true }));
  const { meterkeep, holds, reached } = await startHeld(stateDirectory, planned);
  cleanup.use(meterkeep);
  const api = await ownerClient(meterkeep);
  const killed = performance.now();
  const after = await kill(meterkeep, victims);
  if (after !== meterkeep) cleanup.use(after);
  await assertNothingIsLost(after, api, holds);
  const seconds = ((performance.now() - killed) / 1_000).toFixed(1);
  for (const step of planned) {
    const there = reached.filter((hold) => hold.step === step);
    const profiles = [...new Set(there.map(({ profile }) => profile))].join(", ");
    context.diagnostic(
      `kill -9 ${victims.join(" and ")} at ${step}: ${there.length} meters (${profiles}), all proven and read again`,
    );
  }
  context.diagnostic(`after ${seconds} s every meter had its verdict and was read`);
  return new Set(reached.map(({ step }) => step));
}

/**
 * Kills while meters stand at all the steps. Where the machine is so busy that the meters held first go on before the last
 * ones are held, it kills again while they stand at the steps that are left.
 */
async function killAtEveryStep(context: TestContext, victims: Victims): Promise<void> {
  const reached = new Set(await killOnce(context, victims, HELD_STEPS));
  for (let kills = 1; kills < MOST_KILLS; kills += 1) {
    const left = HELD_STEPS.filter((step) => !reached.has(step));
    if (left.length === 0) break;
    for (const also of await killOnce(context, victims, left)) reached.add(also);
  }
  assert.deepEqual(
    [...reached].sort(),
    [...HELD_STEPS].sort(),
    `steps at which meters stood when the ${victims.join(" and ")} was killed`,
  );
}

// One after the other: side by side they kept each other's meters from being held at the same time, and each killed more often.
describe("takeovers under kill -9: no meter is lost, and liars are caught", () => {
  for (const victims of VICTIMS)
    test(`the ${victims.join(" and ")} is killed while meters stand at every step of their takeover`, (context) =>
      killAtEveryStep(context, victims));
});

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { EnrolmentReport, ExposedMeter, KeyLifeReport, RotationState } from "@meterkeep/api/custodian";
import { ownerClient } from "../src/api-client.ts";
import { said } from "../src/authority.ts";
import { assertCustodyIsWhole } from "../src/custody-check.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { until } from "../src/until.ts";

const METERS = 50;
const PATIENCE_MS = 240_000;

type Status = KeyLifeReport & { readonly rotations: readonly (Omit<RotationState, "meter"> & { meter: string })[] };

type Certificates = EnrolmentReport & { readonly meters: readonly { readonly meter: string }[] };

type Exposed = readonly (Omit<ExposedMeter, "meter"> & { readonly meter: string })[];

async function keys(meterkeep: Meterkeep, ...args: readonly string[]): Promise<Status> {
  const { status, stdout, stderr } = await meterkeep.command(["keys", ...args, "--json"]);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Status;
}

async function killAndWait(meterkeep: Meterkeep, victim: "custodian" | "server"): Promise<void> {
  const before = meterkeep.pids()[victim] as number;
  process.kill(before, "SIGKILL");
  await until(`the ${victim} is back`, () => {
    const now = meterkeep.pids()[victim];
    return now !== undefined && now !== before;
  });
}

test("all keys of a town are rotated over TCP while it is read, though custodian and head-end are killed in the middle", async (context: TestContext) => {
  await using meterkeep = await startMeterkeep({ meters: METERS, speed: 60 });
  const api = await ownerClient(meterkeep);
  const proven = await until(
    "every takeover has its verdict",
    async () => {
      const all = await api.meters().catch(() => []);
      const over = all.filter(({ takeover }) => ["proven", "refused"].includes(takeover));
      return over.length >= METERS && over.length === all.length && all.filter(({ takeover }) => takeover === "proven");
    },
    { patienceMs: PATIENCE_MS, everyMs: 500 },
  );
  const all = (await api.meters()).length;
  const trust = new Map(proven.map(({ systemTitle, trust: state }) => [systemTitle, state]));
  const held = async () => (await api.call("overview")).counts.intervalsAll;
  await until("the town is read", async () => (await held()) > 0, { everyMs: 500, patienceMs: PATIENCE_MS });

  const certified = await until(
    "every meter that can hold certificates is enrolled",
    async () => {
      const { capable, enrolled, meters } = await said<Certificates>(meterkeep, "keys", "certificates");
      return capable > 0 && enrolled === capable && meters.map(({ meter }) => meter);
    },
    { patienceMs: PATIENCE_MS, everyMs: 1000 },
  );
  // So slow that most of them wait or are under way at the kills, however long a command takes meanwhile.
  await keys(meterkeep, "policy", "--per-hour", "1440");
  const before = await held();
  const exposed = await said<Exposed>(meterkeep, "keys", "rotate", "--grade", "exposed", "--dry-run");
  assert.ok(exposed.length > 0 && exposed.every(({ holders }) => holders.length > 0));
  const agreeing = exposed.filter(({ way }) => way === "agreement").map(({ meter }) => meter);
  assert.ok(agreeing.length > 0 && agreeing.every((meter) => certified.includes(meter)), agreeing.join());
  const begun = performance.now();
  const { status, stdout, stderr } = await meterkeep.command(["keys", "rotate", "--all", "--json"]);
  assert.equal(status, 0, stderr);
  const { planned } = JSON.parse(stdout) as { planned: number };
  assert.equal(planned, proven.length);
  const progress = (least: number) =>
    until(
      `${least} rotations are proven`,
      async () => {
        const report = await keys(meterkeep, "status").catch(() => undefined);
        return report !== undefined && report.proven >= least && report;
      },
      { patienceMs: PATIENCE_MS, everyMs: 300 },
    );
  const left: number[] = [];
  for (const [victim, least] of [
    ["custodian", 3],
    ["server", 12],
  ] as const) {
    const { proven: ended } = await progress(least);
    left.push(planned - ended);
    await killAndWait(meterkeep, victim);
  }
  assert.ok(
    left.every((count) => count > 0),
    `${left} were left at the kills`,
  );
  await keys(meterkeep, "policy", "--per-hour", "36000");
  const report = await progress(planned);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  assert.deepEqual([report.planned, report.underWay, report.failed, report.rotations.length], [0, 0, 0, 0]);

  const done = await keys(meterkeep, "status", "--every");
  assert.equal(done.rotations.length, planned);
  for (const { phase, unproven } of done.rotations) assert.deepEqual([phase, unproven], ["retired", ["GBEK"]]);
  for (const { systemTitle } of proven) {
    const detail = await api.call("meter", { params: { systemTitle } });
    // The secrets of clients are no keys of a security setup: a rotation leaves them.
    const active = detail.keys.filter(({ state, purpose }) => state === "active" && !["LLS", "HLS"].includes(purpose));
    assert.deepEqual(active.map(({ purpose }) => purpose).sort(), ["GAK", "GBEK", "GUEK", "KEK"]);
    for (const { purpose, version, provenAt } of active)
      if (purpose !== "GBEK") assert.ok(version >= 3 && provenAt !== undefined, `${systemTitle} ${purpose} ${version}`);
    assert.equal(detail.takeover.stage, "proven");
    // Trust does not change because keys do, but where a master was agreed on: nobody who could listen has what followed.
    await until(`${systemTitle} is trusted as its keys allow`, async () => {
      const { meter, takeover } = await api.call("meter", { params: { systemTitle } });
      return meter.trust === (takeover.grade === "agreed" ? "trusted" : trust.get(systemTitle));
    });
  }
  // Where both sides can sign, the new master was agreed on, in the town's own processes.
  for (const systemTitle of certified) {
    const { takeover, meter } = await api.call("meter", { params: { systemTitle } });
    assert.deepEqual([takeover.grade, meter.trust], ["agreed", "trusted"], takeover.sentence);
  }
  const after = await until("reading has gone on", async () => {
    const now = await held();
    return now > before && now;
  });
  await until(
    "every meter is read under its new keys",
    async () => {
      const rotatedAt = new Map(done.rotations.map(({ meter, endedAt }) => [meter, endedAt ?? 0]));
      const meters = await api.meters();
      return proven.every(({ systemTitle }) => {
        const meter = meters.find((one) => one.systemTitle === systemTitle);
        return meter !== undefined && !meter.stale && rotatedAt.has(systemTitle);
      });
    },
    { patienceMs: PATIENCE_MS, everyMs: 1000 },
  );
  await assertCustodyIsWhole(meterkeep.stateDirectory, all);
  context.diagnostic(
    `${planned} meters rotated, four keys each, in ${seconds} s; ${left[0]} were left when the custodian was killed, ${left[1]} when the head-end was; ${after - before} intervals read meanwhile`,
  );
});

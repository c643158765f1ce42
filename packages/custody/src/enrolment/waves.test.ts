import assert from "node:assert/strict";
import { test } from "node:test";
import type { EnrolmentState } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { TestCertificates } from "../testing/test-certificates.ts";
import { caller, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

const OPERATOR = caller("operator");
const PLACE = { utility: "stadtwerke", island: "mainland" };
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const METERS = 6;

/** Meters of suite 1, taken over and enrolled, years before their certificates are renewed. */
function withFleet(
  body: (custody: TestCustody, fleet: ReadonlyMap<string, TestMeter>) => Promise<void>,
  store: CustodyStore = memoryCustodyStore(),
): Promise<void> {
  const enrolled = async (custody: TestCustody) => {
    const root = (await custody.custody.pki.authorities.all()).find(({ profile }) => profile === "root");
    assert.ok(root);
    const fleet = new Map<string, TestMeter>();
    for (let number = 1; number <= METERS; number += 1) {
      const title = `545354${number.toString(16).toUpperCase().padStart(10, "0")}`;
      const certificates = new TestCertificates(fromHex(title), root.certificate);
      const meter = new TestMeter({ systemTitle: title, certificates });
      await custody.add(meter, { profile: "idis-p3", securitySuite: 1 });
      await carryTakeover(custody, meter);
      fleet.set(title, meter);
    }
    custody.now += 10_000;
    await dueOf(custody);
    for (const meter of fleet.values()) await carryTakeover(custody, meter);
    for (const title of fleet.keys()) assert.equal((await stateOf(custody, title)).phase, "enrolled");
    await body(custody, fleet);
  };
  return withTestCustody(enrolled, store, { pki: { developmentTree: PLACE } });
}

async function dueOf(custody: TestCustody): Promise<readonly string[]> {
  const { meters } = await custody.custody.service.contactsDue({ limit: 100 }, HEAD_END);
  return meters.map((title) => Buffer.from(title).toString("hex").toUpperCase());
}

async function stateOf(custody: TestCustody, title: string): Promise<EnrolmentState> {
  const asked = { meters: [systemTitle(fromHex(title))], after: undefined };
  const { states } = await custody.custody.service.enrolmentStates(asked, OPERATOR);
  assert.ok(states[0]);
  return states[0];
}

async function phases(custody: TestCustody): Promise<Record<string, number>> {
  const { states } = await custody.custody.service.enrolmentStates({ meters: [], after: undefined }, OPERATOR);
  const counts: Record<string, number> = {};
  for (const { phase, cause } of states) {
    const name = `${cause} ${phase}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** The clock as it is after years, and a look at the policy. */
async function wait(custody: TestCustody, milliseconds: number): Promise<void> {
  custody.now += milliseconds;
  await custody.custody.sweep();
}

const policy = (custody: TestCustody, perDay: number) =>
  custody.custody.service.setEnrolmentPolicy(
    { perDay, renewAfterDays: undefined, renewBeforeDays: undefined },
    OPERATOR,
  );

const stores = [
  ["in memory", (body: (store: CustodyStore) => Promise<void>) => body(memoryCustodyStore())],
  [
    "over PostgreSQL",
    (body: (store: CustodyStore) => Promise<void>) =>
      withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => body(postgresCustodyStore(pool))),
  ],
] as const;

for (const [name, withStore] of stores)
  test(`${name}: a wave of renewals begins years on, at its rate, is stopped, outlives a kill, and ends with every pair renewed once`, () =>
    withStore((store) =>
      withFleet(async (custody, fleet) => {
        const serials = async () =>
          new Map(
            await Promise.all(
              [...fleet.keys()].map(
                async (title) =>
                  [title, (await stateOf(custody, title)).certificates.map(({ serial }) => serial)] as const,
              ),
            ),
          );
        const before = await serials();
        await wait(custody, 3649 * DAY_MS);
        assert.deepEqual(await phases(custody), { "first enrolled": METERS }, "not a day too early");
        // Symmetric keys grow old sooner, and go first.
        for (let left = await dueOf(custody); left.length > 0; left = await dueOf(custody)) {
          for (const title of left) await carryTakeover(custody, fleet.get(title) as TestMeter);
          custody.now += HOUR_MS;
        }
        await policy(custody, 24);
        await wait(custody, 2 * DAY_MS);
        assert.deepEqual(await phases(custody), { "renewal planned": METERS });

        // One an hour: what was not asked for does not gather.
        const [first, ...more] = await dueOf(custody);
        assert.ok(first !== undefined);
        assert.deepEqual(more, []);
        custody.now += HOUR_MS / 2;
        assert.deepEqual(
          (await dueOf(custody)).filter((title) => title !== first),
          [],
        );
        await carryTakeover(custody, fleet.get(first) as TestMeter);
        assert.equal((await stateOf(custody, first)).phase, "enrolled");

        // Another one is in the middle of it when the wave is stopped and the process dies.
        custody.now += HOUR_MS;
        const [second] = await dueOf(custody);
        assert.ok(second !== undefined && second !== first);
        custody.crashAt(9, "after");
        const begun = fleet.get(second) as TestMeter;
        await assert.rejects(
          carryTakeover({ ...custody, restart: () => Promise.reject(new Error("dead")) } as TestCustody, begun),
          /dead/,
        );
        await custody.restart();
        await policy(custody, 0);
        assert.equal((await stateOf(custody, second)).phase, "under-way");
        await wait(custody, 30 * DAY_MS);
        assert.deepEqual(await dueOf(custody), [second], "what has begun goes on, nothing else begins");
        await carryTakeover(custody, begun);
        custody.now += DAY_MS;
        assert.deepEqual(await dueOf(custody), []);
        assert.deepEqual(await phases(custody), { "renewal enrolled": 2, "renewal planned": METERS - 2 });

        // What strangers may have does not wait for the wave.
        const urgent = [systemTitle(fromHex([...fleet.keys()].at(-1) as string))];
        await custody.custody.service.planEnrolments({ meters: urgent, cause: "compromise", reason: "test" }, OPERATOR);

        await policy(custody, 24_000);
        for (let round = 0; round < 3 * METERS; round += 1) {
          custody.now += HOUR_MS;
          for (const title of await dueOf(custody)) await carryTakeover(custody, fleet.get(title) as TestMeter);
        }
        const after = await serials();
        for (const [title, own] of after) {
          assert.equal(own.length, 3);
          assert.ok(own.every((serial) => !before.get(title)?.includes(serial)));
        }
        const { registry } = custody.custody.pki.store;
        for (const title of fleet.keys()) {
          const all = await registry.search({ systemTitle: title, limit: 100 }, custody.now);
          assert.deepEqual(
            all.map(({ reason }) => reason ?? "stands").sort(),
            [...Array(3).fill("stands"), ...Array(3).fill("superseded")],
            title,
          );
        }
        await wait(custody, DAY_MS);
        assert.deepEqual(await phases(custody), { "renewal enrolled": METERS }, "for the next ten years");
      }, store),
    ));

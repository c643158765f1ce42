import assert from "node:assert/strict";
import { test } from "node:test";
import type { Exposure } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import type { TrustedManufacturer } from "../shipment/manufacturer.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { journalOf } from "../takeover/view.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import { sold, type TestUtility } from "../testing/meter-sale.ts";
import { Crash, carryTakeover, HEAD_END, heldKeys, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { readmission } from "./readmission.ts";

const PLACE = { utility: "stadtwerke", island: "mainland" } as const;
const TITLE = "5453540000000501";
const title = systemTitle(fromHex(TITLE));

function withUtility(name: string, flag: string, body: (one: TestUtility) => Promise<void>, store?: CustodyStore) {
  const trusted: TrustedManufacturer[] = [];
  return withTestCustody(
    async (custody) => body({ name, flag, custody, trusted, world: await AuthorityWorld.open(custody) }),
    store,
    { manufacturers: trusted },
  );
}

const taken = ({ world }: TestUtility, bytes: Uint8Array) => world.agreed(() => world.offer(bytes));

async function proven({ custody }: TestUtility, meter: TestMeter) {
  const { state } = await carryTakeover(custody, meter);
  assert.equal(state.verdict, "proven", state.sentence);
  return state;
}

/** A meter that its first owner has taken over, sold to a second, which has taken it over and sold it back. */
async function cameBack(first: TestUtility, second: TestUtility) {
  const meter = new TestMeter({ systemTitle: TITLE, secrets: true, setupVersion: 0 });
  await first.custody.add(meter, { ...PLACE, profile: "is15959" });
  await proven(first, meter);
  const there = await taken(second, await sold(title, first, second));
  assert.equal(there.kind, "imported", JSON.stringify(there));
  const elsewhere = meter.resold();
  const state = await proven(second, elsewhere);
  assert.match(state.sentence, /Test Meters or Old Utility could have recorded the change/);
  return { back: elsewhere.resold(), file: await sold(title, second, first, "returned") };
}

const between = (body: (first: TestUtility, second: TestUtility) => Promise<void>, store?: CustodyStore) =>
  withUtility(
    "Old Utility",
    "OLD",
    (first) => withUtility("New Utility", "NEW", (second) => body(first, second)),
    store,
  );

test("a meter that was sold, taken over there and given back is taken over anew: other keys, higher counters, a longer taint", async () => {
  const there = (store?: CustodyStore) =>
    between(async (first, second) => {
      const { back, file } = await cameBack(first, second);
      const before = await first.custody.store.load(TITLE);
      assert.equal(before?.meter.standing, "transferred");
      const outcome = await taken(first, file);
      assert.equal(outcome.kind, "imported", JSON.stringify(outcome));
      assert.ok(outcome.kind === "imported" && outcome.count === 1 && outcome.meters.length === 1);
      const after = await first.custody.store.load(TITLE);
      assert.equal(after?.meter.standing, undefined);
      assert.deepEqual(after?.meter.holders, ["Test Meters", "Old Utility", "New Utility"]);
      // What is stored is believed only where it is what the ledger says.
      await first.custody.restart();
      const used = Math.max(
        ...(await first.custody.store.counterLine({ ...PLACE, systemTitle: TITLE, setup: 0 })).counters.map(
          ({ next }) => next,
        ),
      );
      const state = await proven(first, back);
      assert.match(state.sentence, /Test Meters, Old Utility or New Utility could have recorded the change/);
      assert.ok(!state.steps.some(({ step }) => step === "counter-hint"), "its counter was told");
      const { counters } = await first.custody.store.counterLine({ ...PLACE, systemTitle: TITLE, setup: 0 });
      const anew = counters.filter(
        ({ keyVersion }) =>
          keyVersion >
          Math.max(...(before?.keys ?? []).filter(({ purpose }) => purpose === 0).map(({ version }) => version)),
      );
      assert.ok(anew.length > 0 && anew.every(({ next }) => next > used), "counters go on above all that were used");
      const { keys } = await first.world.service.describeKeys({ meter: title }, HEAD_END);
      for (const purpose of ["GUEK", "GAK", "KEK"]) {
        const own = keys.filter((key) => key.purpose === purpose);
        assert.equal(own.filter((key) => key.state === "active").length, 1);
        assert.deepEqual(
          own.map((key) => key.version),
          own.map((_, at) => at + 1),
        );
        assert.equal(own.at(-1)?.origin, "generated");
      }
      // Who had it in between knows nothing of it any more, and had its keys until now.
      const asked = { meter: title, person: undefined, from: undefined };
      const { exposures } = await first.world.service.exposure(asked, OPERATOR);
      const clear = (JSON.parse(exposures) as readonly Exposure[]).filter(
        ({ who, form }) => who === "New Utility" && form === "clear",
      );
      const provenAt = Math.max(
        ...((await first.custody.store.load(TITLE))?.keys ?? []).flatMap(({ purpose, provenAt }) =>
          purpose === 3 ? (provenAt ?? []) : [],
        ),
      );
      const own = clear.find(({ keys }) => /GUEK 3, .*KEK 3/.test(keys));
      assert.equal(own?.until, provenAt);
      assert.equal(clear.find(({ as }) => as === "other owner")?.until, provenAt);
      // It leaves again as it did before.
      assert.ok((await sold(title, first, second)).length > 0);
    }, store);
  await there();
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => there(postgresCustodyStore(pool)));
});

test("a meter of which each security setup was taken over leaves with what is on it in each, and is taken over anew in each when it comes back", async () => {
  const there = (store?: CustodyStore) =>
    between(async (first, second) => {
      const meter = new TestMeter({ systemTitle: TITLE, secondSetup: true });
      await first.custody.add(meter, { ...PLACE, profile: "idis-p2-service" });
      await proven(first, meter);
      const { service } = first.world;
      const lost = { meter: title, purpose: "GUEK", version: 2, client: undefined, setup: 1, reason: "lost" } as const;
      await service.changeKeyState({ ...lost, command: "compromise" }, OPERATOR);
      await assert.rejects(sold(title, first, second), /not settled which keys .* in its security setup 1/);
      await proven(first, meter);
      const given = await taken(second, await sold(title, first, second));
      assert.equal(given.kind, "imported", JSON.stringify(given));
      const onMeter = (of: TestMeter) =>
        of.setups.map(({ keys }) => keys.map((key) => Buffer.from(key).toString("hex")));
      const [former, latter] = [(await heldKeys(second.custody, meter)).flat(), onMeter(meter).flat()];
      assert.deepEqual(former.sort(), latter.sort(), "what is on the meter in each setup, and nothing else");
      const elsewhere = meter.resold();
      await proven(second, elsewhere);
      const back = await sold(title, second, first, "returned");
      const stored = await first.custody.store.load(TITLE);
      assert.ok(stored !== undefined);
      assert.ok(stored.rotations.every(({ endedAt }) => endedAt !== undefined));
      const header = { shipment: "00", manufacturer: first.trusted[0] as TrustedManufacturer };
      const facts = { ...stored.meter, anchors: undefined, line: 1, keys: [], check: [], setups: [], counter: 0 };
      const dependencies = { vault: first.custody.vault, now: () => first.custody.now };
      await assert.rejects(readmission(dependencies, stored, header, facts, { ...PLACE, principal: "head-end" }), {
        code: "meter-already-in-custody",
        message: /left with keys of security setup 1 and comes back without/,
      });
      const outcome = await taken(first, back);
      assert.equal(outcome.kind, "imported", JSON.stringify(outcome));
      await first.custody.restart();
      const file = await first.custody.store.load(TITLE);
      assert.ok(file !== undefined);
      for (const setup of [0, 1]) {
        const { journal, record } = journalOf(file, setup);
        assert.deepEqual([journal.verdict, record?.takeover], ["pending", setup === 0 ? 2 : 3], `${setup}`);
      }
      const home = elsewhere.resold();
      const before = onMeter(home).flat();
      await proven(first, home);
      for (const key of onMeter(home).flat()) assert.ok(!before.includes(key));
      assert.ok((await sold(title, first, second)).length > 0, "it leaves again");
    }, store);
  await there();
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => there(postgresCustodyStore(pool)));
});

test("killed before or after the commit of a return, a meter is ours again whole or not at all", () =>
  between(async (first, second) => {
    const { file } = await cameBack(first, second);
    const standing = async () => (await first.custody.store.load(TITLE))?.meter.standing;
    await assert.rejects(first.world.offer(file), { code: "approval-required" });
    const [planned] = (await first.world.service.changes({ limit: 10 }, OPERATOR)).changes.filter(
      ({ state }) => state === "planned",
    );
    for (const who of [first.world.anna, first.world.ben]) await first.world.approve(planned?.hash as string, who);
    // The change is executed, the shipment accepted, and then all of it is one commit.
    first.custody.crashAt(2, "before");
    await assert.rejects(first.world.offer(file), Crash);
    assert.equal(await standing(), "transferred");
    first.custody.crashAt(undefined, "before");
    await first.custody.restart();
    assert.equal((await taken(first, file)).kind, "imported");
    assert.equal(await standing(), undefined);
    const again = await first.world.offer(file);
    assert.ok(again.kind === "refused" && again.code === "shipment-already-imported");
  }));

test("a meter that was retired does not come back, nor does another device under the title of one that left", () =>
  between(async (first, second) => {
    await cameBack(first, second);
    const other = new TestMeter({ systemTitle: "5453540000000502", secrets: true, setupVersion: 0 });
    await first.custody.add(other, { ...PLACE, profile: "is15959" });
    await proven(first, other);
    await first.world.agreed(() =>
      first.world.service.departMeters(
        {
          meters: [systemTitle(fromHex(other.systemTitle))],
          how: "retired",
          reason: "scrapped",
          sender: { flag: "OLD", name: "Old Utility" },
          recipient: undefined,
        },
        OPERATOR,
      ),
    );
    const stage = await first.custody.store.stageShipment();
    assert.deepEqual(await stage.left([other.systemTitle, TITLE, "5453540000009999"]), [TITLE]);
    await stage.drop();
    const stored = await first.custody.store.load(TITLE);
    assert.ok(stored !== undefined);
    const header = { shipment: "00", manufacturer: first.trusted[0] as TrustedManufacturer };
    const shipped = { ...stored.meter, anchors: undefined, line: 1, keys: [], check: [], setups: [], counter: 0 };
    const dependencies = { vault: first.custody.vault, now: () => first.custody.now };
    const place = { ...PLACE, principal: "head-end" };
    for (const change of [{ serialNumber: "10501" }, { securitySuite: 1 }, { model: "T-200" }])
      await assert.rejects(readmission(dependencies, stored, header, { ...shipped, ...change }, place), {
        code: "meter-already-in-custody",
      });
    const elsewhere = { ...place, island: "isle" };
    await assert.rejects(readmission(dependencies, stored, header, shipped, elsewhere), {
      code: "meter-already-in-custody",
    });
  }));

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { type TrustedManufacturer, trustedManufacturer } from "../shipment/manufacturer.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import { Crash, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { readmission } from "./readmission.ts";

const PLACE = { utility: "stadtwerke", island: "mainland" } as const;
const TITLE = "5453540000000501";
const title = systemTitle(fromHex(TITLE));

/** A utility with its custodian, and those whose files it takes. */
interface Utility {
  readonly name: string;
  readonly flag: string;
  readonly custody: TestCustody;
  readonly world: AuthorityWorld;
  readonly trusted: TrustedManufacturer[];
}

function withUtility(name: string, flag: string, body: (one: Utility) => Promise<void>, store?: CustodyStore) {
  const trusted: TrustedManufacturer[] = [];
  return withTestCustody(
    async (custody) => body({ name, flag, custody, trusted, world: await AuthorityWorld.open(custody) }),
    store,
    { manufacturers: trusted },
  );
}

/** Asks, has what is asked for approved, and asks again. */
async function agreed<T>({ world }: Utility, ask: () => Promise<T>): Promise<T> {
  const hash = await ask().then(
    () => assert.fail("it went without approval"),
    (error: { code?: string; message: string }) => {
      assert.equal(error.code, "approval-required", error.message);
      return /change ([0-9a-f]{96})/.exec(error.message)?.[1] as string;
    },
  );
  for (const who of [world.anna, world.ben]) await world.approve(hash, who);
  return ask();
}

async function sold(from: Utility, to: Utility, how: "transferred" | "returned" = "transferred") {
  const { ecdh, mlkem } = to.custody.custody.recipient;
  const request = {
    meters: [title],
    how,
    reason: "sold",
    sender: { flag: from.flag, name: from.name },
    recipient: { name: to.name, ecdhPublicKey: ecdh, mlkemPublicKey: mlkem },
  };
  const { transfer } = await agreed(from, () => from.world.service.departMeters(request, OPERATOR));
  assert.ok(transfer !== undefined);
  to.trusted.push(
    trustedManufacturer({
      flag: from.flag,
      name: from.name,
      ecdsaPublicKey: Buffer.from(transfer.ecdsaPublicKey).toString("base64url"),
      mldsaPublicKey: Buffer.from(transfer.mldsaPublicKey).toString("base64url"),
    }),
  );
  return transfer.file;
}

async function offered({ world: { service } }: Utility, bytes: Uint8Array) {
  const { upload } = await service.beginShipment(PLACE, HEAD_END);
  await service.shipmentChunk({ upload, bytes }, HEAD_END);
  return service.commitShipment({ upload }, HEAD_END);
}

const taken = (by: Utility, bytes: Uint8Array) => agreed(by, () => offered(by, bytes));

async function proven({ custody }: Utility, meter: TestMeter) {
  const { state } = await carryTakeover(custody, meter);
  assert.equal(state.verdict, "proven", state.sentence);
  return state;
}

/** A meter that its first owner has taken over, sold to a second, which has taken it over and sold it back. */
async function cameBack(first: Utility, second: Utility) {
  const meter = new TestMeter({ systemTitle: TITLE, secrets: true, setupVersion: 0 });
  await first.custody.add(meter, { ...PLACE, profile: "is15959" });
  await proven(first, meter);
  const there = await taken(second, await sold(first, second));
  assert.equal(there.kind, "imported", JSON.stringify(there));
  const elsewhere = meter.resold();
  const state = await proven(second, elsewhere);
  assert.match(state.sentence, /Test Meters or Old Utility could have recorded the change/);
  return { back: elsewhere.resold(), file: await sold(second, first, "returned") };
}

const between = (body: (first: Utility, second: Utility) => Promise<void>, store?: CustodyStore) =>
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
      // It leaves again as it did before.
      assert.ok((await sold(first, second)).length > 0);
    }, store);
  await there();
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => there(postgresCustodyStore(pool)));
});

test("killed before or after the commit of a return, a meter is ours again whole or not at all", () =>
  between(async (first, second) => {
    const { file } = await cameBack(first, second);
    const standing = async () => (await first.custody.store.load(TITLE))?.meter.standing;
    await assert.rejects(offered(first, file), { code: "approval-required" });
    const [planned] = (await first.world.service.changes({ limit: 10 }, OPERATOR)).changes.filter(
      ({ state }) => state === "planned",
    );
    for (const who of [first.world.anna, first.world.ben]) await first.world.approve(planned?.hash as string, who);
    // The change is executed, the shipment accepted, and then all of it is one commit.
    first.custody.crashAt(2, "before");
    await assert.rejects(offered(first, file), Crash);
    assert.equal(await standing(), "transferred");
    first.custody.crashAt(undefined, "before");
    await first.custody.restart();
    assert.equal((await taken(first, file)).kind, "imported");
    assert.equal(await standing(), undefined);
    const again = await offered(first, file);
    assert.ok(again.kind === "refused" && again.code === "shipment-already-imported");
  }));

test("a meter that was retired does not come back, nor does another device under the title of one that left", () =>
  between(async (first, second) => {
    await cameBack(first, second);
    const other = new TestMeter({ systemTitle: "5453540000000502", secrets: true, setupVersion: 0 });
    await first.custody.add(other, { ...PLACE, profile: "is15959" });
    await proven(first, other);
    await agreed(first, () =>
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
    const shipped = { ...stored.meter, anchors: undefined, line: 1, keys: [], check: [], counter: 0 };
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

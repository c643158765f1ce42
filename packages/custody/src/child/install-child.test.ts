import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { ALONE_METERS_A_DAY } from "../authority/key-control.ts";
import { AuthorityWorld } from "../testing/authority-world.ts";
import { sealMeterKeys } from "../testing/shipment-writer.ts";
import { TestChild } from "../testing/test-child.ts";
import { caller, carryTakeover, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { type MeterFault, TestMeter } from "../testing/test-meter.ts";

const OPERATOR = caller("operator");
const TITLE = "5453540000000901";
const title = systemTitle(fromHex(TITLE));

const newChild = () => new TestChild(new Uint8Array(randomBytes(16)));
const sealedFor = ({ recipient }: TestCustody["custody"], of: string, { defaultKey }: TestChild, channel: number) =>
  sealMeterKeys(recipient, of, { 11: Uint8Array.of(channel, ...defaultKey) });
const install = ({ custody }: TestCustody, child: TestChild, channel = 1) =>
  custody.service.installChild({ meter: title, sealed: sealedFor(custody, TITLE, child, channel) }, OPERATOR);
const childKeys = async ({ custody }: TestCustody) =>
  (await custody.service.describeKeys({ meter: title }, OPERATOR)).keys
    .filter(({ channel }) => channel !== undefined)
    .map(
      ({ purpose, version, state, channel, provenAt }) => `${purpose} ${version} of ${channel}: ${state} ${provenAt}`,
    );

async function withChild(
  body: (test: TestCustody, meter: TestMeter, child: TestChild) => Promise<void>,
): Promise<void> {
  await withTestCustody(async (custody) => {
    const child = newChild();
    const meter = new TestMeter({ systemTitle: TITLE, child });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    await body(custody, meter, child);
  });
}

test("a device that is installed gets a key of ours, its meter the same, and its telegrams are read", () =>
  withChild(async (custody, meter, child) => {
    assert.equal(meter.channel.capture(), false);
    const { channel, planned, warning } = await install(custody, child);
    assert.deepEqual([channel, planned, warning], [1, true, undefined]);
    const { state } = await carryTakeover(custody, meter);
    assert.equal(state.verdict, "proven");
    assert.deepEqual(child.own, child.used);
    assert.equal(meter.channel.capture(), true);
    assert.equal(meter.channel.keyStatus, "encryptionKeyInUse");
    assert.deepEqual(await childKeys(custody), [
      "M-Bus 1 of 1: active undefined",
      "M-Bus-default 1 of 1: active undefined",
    ]);
    const [rotation] = (
      await custody.custody.service.rotationStates({ meters: [title], filter: "all", after: undefined }, OPERATOR)
    ).states;
    assert.match(rotation?.sentence ?? "", /the key of the M-Bus device at channel 1: .*no answer of theirs proves it/);
  }));

test("every rotation of the unicast key gives device and meter another one; another device at the channel brings its own default", () =>
  withChild(async (custody, meter, child) => {
    await install(custody, child);
    await carryTakeover(custody, meter);
    const first = child.own;
    custody.now += 86_400_000;
    await custody.custody.service.planRotations(
      { meters: [title], madeBefore: undefined, purposes: ["GUEK"], cause: "demand", reason: "again" },
      OPERATOR,
    );
    await carryTakeover(custody, meter);
    assert.notDeepEqual(child.own, first);
    assert.equal(meter.channel.capture(), true);
    const next = new TestChild(new Uint8Array(randomBytes(16)));
    meter.channel.deinstall();
    const changed = new TestMeter({
      systemTitle: TITLE,
      keys: meter.keys,
      lowestCounter: meter.lowestCounter,
      child: next,
    });
    custody.now += 86_400_000;
    await install(custody, next);
    await carryTakeover(custody, changed);
    assert.equal(changed.channel.capture(), true);
    assert.deepEqual(
      (await childKeys(custody)).filter((key) => key.includes("default")),
      ["M-Bus-default 1 of 1: deactivated undefined", "M-Bus-default 2 of 1: active undefined"],
    );
  }));

test("wherever an answer is lost or the custodian dies, device and meter end with one key", async () => {
  const faults: readonly MeterFault[] = ["dies-before", "dies-after", "says-nothing"];
  for (const fault of faults)
    for (const at of [6, 7, 8, 9, 10])
      await withChild(async (custody, meter, child) => {
        await install(custody, child);
        const { state } = await carryTakeover(custody, meter, {
          faults: [...Array.from({ length: at }, () => "none" as const), fault],
        });
        assert.equal(state.verdict, "proven", `${fault} at ${at}`);
        assert.equal(meter.channel.capture(), true, `${fault} at ${at}: the device is read`);
      });
});

test("a key that was sealed for another meter, or is another's, is not taken; nothing changes", () =>
  withChild(async (custody, _, child) => {
    const sealed = sealedFor(custody.custody, "5453540000000902", child, 1);
    await assert.rejects(custody.custody.service.installChild({ meter: title, sealed }, OPERATOR), {
      code: "request-malformed",
    });
    await assert.rejects(install(custody, child, 9), { code: "request-malformed" });
    assert.deepEqual(await childKeys(custody), []);
  }));

test("one person takes in devices as far as the day goes; beyond it two agree to that very key, sealed anew or not", () =>
  withChild(async (custody, _, child) => {
    const world = await AuthorityWorld.open(custody);
    const others = Array.from({ length: ALONE_METERS_A_DAY - 1 }, (_each, at) =>
      systemTitle(fromHex(`5453540000${(0x5000 + at).toString(16).padStart(6, "0")}`)),
    );
    const asked = { meters: others, madeBefore: undefined, purposes: [], cause: "demand", reason: "a test" } as const;
    await custody.custody.service.planRotations({ ...asked, purposes: [] }, OPERATOR);
    await install(custody, child);
    const second = newChild();
    await assert.rejects(install(custody, newChild(), 2), { code: "approval-required" });
    const { channel } = await world.agreed(() => install(custody, second, 2));
    assert.equal(channel, 2);
    await assert.rejects(install(custody, newChild(), 2), { code: "approval-required" });
  }));

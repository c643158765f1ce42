import assert from "node:assert/strict";
import { test } from "node:test";
import { apdu, decode, encode, fromHex, type SystemTitle, systemTitle } from "@meterkeep/dlms";
import { Crash, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

const TITLE = "5453540000000007";

const open = (custody: TestCustody, ...apdus: readonly Uint8Array[]) =>
  custody.custody.service.openPush({ items: apdus.map((octets) => ({ apdu: octets, transport: "tcp" })) }, HEAD_END);

const outcome = async (custody: TestCustody, ...apdus: readonly Uint8Array[]) =>
  (await open(custody, ...apdus)).map((result) => (result.kind === "refused" ? result.code : result.kind));

function withMeter(body: (custody: TestCustody, meter: TestMeter) => Promise<void>): Promise<void> {
  return withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    await body(custody, meter);
  });
}

test("a push is opened for whom it names, and says what was authenticated", () =>
  withMeter(async (custody, meter) => {
    const [signed, confidential] = await open(custody, meter.push("authenticated"), meter.push("encrypted"));
    assert.ok(signed?.kind === "opened" && signed.authenticated && signed.encrypted);
    assert.equal(decode(apdu, signed.apdu).kind, "data-notification");
    assert.deepEqual(Buffer.from(signed.meter).toString("hex").toUpperCase(), TITLE);
    assert.ok(confidential?.kind === "opened" && !confidential.authenticated && confidential.encrypted);
  }));

test("a push is opened once: not twice in a batch, not later, not after a crash", () =>
  withMeter(async (custody, meter) => {
    const [one, two, late] = [meter.push("authenticated"), meter.push("authenticated"), meter.push("encrypted")];
    assert.deepEqual(await outcome(custody, one, one), ["opened", "replayed"]);
    assert.deepEqual(await outcome(custody, two, late), ["opened", "opened"]);
    await custody.restart();
    assert.deepEqual(await outcome(custody, one, two, late), ["replayed", "replayed", "replayed"]);
  }));

test("a push whose call had to wait does not put back what another call has made durable meanwhile", () =>
  withMeter(async (custody, meter) => {
    const foreign = new TestMeter({ systemTitle: "5453540000000008" });
    await custody.add(foreign, { island: "elsewhere" });
    const [one, two, three] = [meter.push("authenticated"), meter.push("authenticated"), meter.push("authenticated")];
    assert.deepEqual(await outcome(custody, three, foreign.push("authenticated")), ["opened", "opened"]);
    // What is beyond its rights is in the ledger before this call goes on.
    const rights = { sessions: 1, permits: ({ island }: { readonly island: string }) => island === "mainland" };
    const items = [one, foreign.push("authenticated")].map((octets) => ({ apdu: octets, transport: "tcp" as const }));
    const waiting = custody.custody.service.openPush({ items }, { ...HEAD_END, name: "vendor", rights });
    assert.deepEqual(await outcome(custody, two), ["opened"]);
    assert.deepEqual(
      (await waiting).map(({ kind }) => kind),
      ["opened", "refused"],
    );
    await custody.restart();
    assert.deepEqual(await outcome(custody, one, two, three), ["replayed", "replayed", "replayed"]);
  }));

test("a window whose mark could not be written is marked with the next push", () =>
  withMeter(async (custody, meter) => {
    const marks = async () => (await custody.store.ledger.ofMeters([TITLE], ["counters-accepted"])).length;
    custody.crashAt(0, "before");
    await assert.rejects(open(custody, meter.push("authenticated")), Crash);
    assert.equal(await marks(), 0);
    assert.deepEqual(await outcome(custody, meter.push("authenticated"), meter.push("authenticated")), [
      "opened",
      "opened",
    ]);
    assert.equal(await marks(), 1);
    await open(custody, meter.push("authenticated"));
    assert.equal(await marks(), 1);
  }));

test("pushes may overtake each other within a window, and not beyond it", () =>
  withMeter(async (custody, meter) => {
    const pushes = Array.from({ length: 1200 }, () => meter.push("authenticated"));
    assert.deepEqual(await outcome(custody, pushes[1199] as Uint8Array), ["opened"]);
    assert.deepEqual(
      await outcome(custody, pushes[1198] as Uint8Array, pushes[176] as Uint8Array, pushes[175] as Uint8Array),
      ["opened", "opened", "replayed"],
    );
    assert.deepEqual(await outcome(custody, pushes[1198] as Uint8Array), ["replayed"]);
  }));

test("a forged counter without a tag does not shut out authentic pushes", () =>
  withMeter(async (custody, meter) => {
    const forged = new Uint8Array(meter.push("encrypted"));
    // The counter stands in clear and nothing protects it: turning its top bit gives another text, of the same form.
    const [first] = await open(custody, forged);
    assert.equal(first?.kind, "opened");
    for (let at = 12; at < 16; at += 1) {
      const high = new Uint8Array(forged);
      high[at] = 0xff;
      await open(custody, high);
    }
    assert.deepEqual(await outcome(custody, meter.push("authenticated")), ["opened"]);
  }));

test("a push that was changed, comes from a stranger, or is none is refused, each for what it is", () =>
  withMeter(async (custody, meter) => {
    const genuine = meter.push("authenticated");
    const changed = new Uint8Array(genuine);
    changed[30] = (changed[30] as number) ^ 1;
    const stranger = new TestMeter({ systemTitle: "5453540000000099" }).push("authenticated");
    const imposter = new TestMeter({ systemTitle: TITLE }).push("authenticated");
    const plain = encode(apdu, {
      kind: "data-notification",
      value: {
        invokeIdAndPriority: {
          invokeId: 1,
          selfDescriptive: false,
          breakOnError: false,
          confirmed: false,
          highPriority: false,
        },
        body: { type: "unsigned", value: 1 },
      },
    });
    assert.deepEqual(
      await outcome(
        custody,
        changed,
        stranger,
        imposter,
        plain,
        fromHex("c001c1"),
        new Uint8Array(0),
        fromHex("db085453"),
      ),
      [
        "not-authentic",
        "unknown-meter",
        "not-authentic",
        "not-protected",
        "not-a-notification",
        "not-a-notification",
        "not-decodable",
      ],
    );
    assert.deepEqual(await outcome(custody, genuine), ["opened"], "a forgery does not use up the counter");
  }));

test("what we have sealed ourselves is never opened", () =>
  withMeter(async (custody, meter) => {
    const next = await custody.custody.service.nextContact({ meter: systemTitle(fromHex(TITLE)) }, HEAD_END);
    assert.ok(next.kind === "connect");
    const { callingApTitle } = aarqTitle(next.apdu);
    await custody.add(new TestMeter({ systemTitle: Buffer.from(callingApTitle).toString("hex").toUpperCase() }));
    const own = new Uint8Array(meter.push("authenticated"));
    own.set(callingApTitle, 2);
    const [result] = await open(custody, own);
    assert.ok(result?.kind === "refused" && result.code === "wrong-originator", JSON.stringify(result));
  }));

test("pushes are opened under old and new keys while they change, and under the new ones after that", () =>
  withMeter(async (custody, meter) => {
    const old = [meter.push("authenticated"), meter.push("authenticated")] as const;
    assert.deepEqual(await outcome(custody, old[0]), ["opened"]);
    await carryTakeover(custody, meter);
    assert.deepEqual(await outcome(custody, old[1]), ["not-authentic"]);
    assert.deepEqual(await outcome(custody, meter.push("authenticated")), ["opened"]);
  }));

test("a meter that its owner added with keys known to him pushes, and is believed no more than its keys allow", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter, { origin: "added", shipment: undefined, profile: "", logicalDeviceName: "" });
    const results = await open(custody, meter.push("authenticated"), meter.push("encrypted"));
    assert.deepEqual(
      results.map((result) => result.kind === "opened" && result.authenticated),
      [true, false],
    );
    const { states } = await custody.custody.service.takeoverStates({ meters: [] }, HEAD_END);
    assert.equal(states[0]?.phase, "not-applicable");
    assert.equal(
      (await custody.custody.service.nextContact({ meter: systemTitle(fromHex(TITLE)) }, HEAD_END)).kind,
      "nothing",
    );
  }));

test("each batch that used keys has one entry in the ledger, a flood of strangers has none", () =>
  withMeter(async (custody, meter) => {
    const before = await custody.store.ledger.size();
    const stranger = new TestMeter({ systemTitle: "5453540000000099" });
    await open(custody, stranger.push("authenticated"), stranger.push("encrypted"));
    assert.equal(await custody.store.ledger.size(), before);
    await open(custody, meter.push("authenticated"), meter.push("authenticated"), stranger.push("encrypted"));
    const [entry, ...others] = await custody.store.ledger.read(before, 10);
    assert.deepEqual(
      others.map(({ kind }) => kind),
      ["counters-accepted"],
      "the window is marked when it begins",
    );
    assert.deepEqual([entry?.kind, JSON.parse(entry?.body ?? "{}").opened], ["pushes-opened", 2]);
  }));

/** calling-AP-title of an AARQ: context tag 6, eight octets. */
function aarqTitle(octets: Uint8Array): { readonly callingApTitle: SystemTitle } {
  const at = Buffer.from(octets).indexOf(Buffer.from("a60a0408", "hex"));
  return { callingApTitle: systemTitle(octets.slice(at + 4, at + 12)) };
}

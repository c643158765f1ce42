import assert from "node:assert/strict";
import { test } from "node:test";
import type { SealResult } from "@meterkeep/api/custodian";
import { apdu, encode, fromHex, logicalNameOctets, systemTitle } from "@meterkeep/dlms";
import { getRequest, keyTransferRequest } from "../protocol/requests.ts";
import { carryTakeover, HEAD_END, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { action, INVOKE, kinds, LDN, openSession, TITLE, withSession } from "../testing/test-session.ts";

type Sealed = Extract<SealResult, { kind: "sealed" }>;

const set = (classId: number, logicalName: string, attributeId: number) =>
  encode(apdu, {
    kind: "set-request",
    value: {
      kind: "normal",
      value: {
        invokeIdAndPriority: INVOKE,
        attribute: { classId, instanceId: logicalNameOctets(logicalName), attributeId },
        value: { type: "unsigned", value: 1 },
      },
    },
  });

test("what is harmless and needs no waiting for is sealed in the same turn of the event loop, and refusals are not", () =>
  withSession(async ({ custody, session }) => {
    const { service } = custody.custody;
    const harmless = { apdu: getRequest(LDN) };
    const sealed = service.seal({ session, items: [harmless, harmless] }, HEAD_END);
    assert.ok(!(sealed instanceof Promise));
    assert.deepEqual(
      sealed.map(({ kind }) => kind),
      ["sealed", "sealed"],
    );
    // The ledger has a refusal before the caller hears of it.
    const before = await custody.store.ledger.size();
    const refused = service.seal({ session, items: [harmless, { apdu: set(22, "0.0.15.0.1.255", 4) }] }, HEAD_END);
    assert.ok(refused instanceof Promise);
    assert.deepEqual(
      (await refused).map(({ kind }) => kind),
      ["sealed", "refused"],
    );
    assert.equal((await custody.store.ledger.read(before, 10))[0]?.kind, "seal-refused");
    const unknown = service.seal({ session: "0".repeat(24), items: [harmless] }, HEAD_END);
    assert.ok(unknown instanceof Promise, "what goes wrong is a promise that is rejected");
    await assert.rejects(unknown, { code: "session-unknown" });
  }));

test("nothing is sealed after the closing entry: it counts what was asked for before, however the two race", () =>
  withSession(async ({ custody, session }) => {
    const { service } = custody.custody;
    const before = await custody.store.ledger.size();
    const items = [
      ...Array.from({ length: 900 }, () => ({ apdu: getRequest(LDN) })),
      { apdu: set(22, "0.0.15.0.1.255", 4) },
    ];
    const sealing = service.seal({ session, items }, HEAD_END);
    const release = service.releaseSession({ session }, HEAD_END);
    let isClosed = false;
    const closing = service.closeSession({ session, outcome: "completed" }, HEAD_END).then(() => {
      isClosed = true;
    });
    const [sealed, released] = await Promise.all([
      Promise.resolve(sealing).then((results) => [isClosed, results.filter(({ kind }) => kind === "sealed").length]),
      release.then(({ apdu }) => [isClosed, apdu.length > 0]),
      closing,
    ]);
    assert.deepEqual(
      [sealed, released],
      [
        [false, 900],
        [false, true],
      ],
    );
    const entries = await custody.store.ledger.read(before, 1000);
    const closed = JSON.parse(entries.findLast(({ kind }) => kind === "session-closed")?.body ?? "{}");
    // Two of the association, what was sealed, the release.
    assert.deepEqual([closed.toMeter, closed.refused], [903, 1]);
  }));

test("no disconnect, key, firmware, push destination, schedule, access or anything else but reading is sealed", () =>
  withSession(async ({ custody, meter, session }) => {
    const { service } = custody.custody;
    const hostile: readonly (readonly [what: string, octets: Uint8Array, effect: string])[] = [
      ["disconnect", action(70, "0.0.96.3.10.255", 1), "supply"],
      ["reconnect", action(70, "0.0.96.3.10.255", 2), "supply"],
      ["disconnect by script", action(9, "0.0.10.0.106.255", 1, { type: "long-unsigned", value: 1 }), "supply"],
      ["disconnect by schedule", set(22, "0.0.15.0.1.255", 4), "supply"],
      ["disconnect by the control's own attribute", set(70, "0.0.96.3.10.255", 4), "supply"],
      ["a lower limit", set(71, "0.0.17.0.0.255", 4), "supply"],
      ["an arbitrator", action(68, "0.0.96.3.20.255", 1), "supply"],
      ["another script", action(9, "0.0.10.0.100.255", 1), "script"],
      ["keys", keyTransferRequest("0.0.43.0.0.255", [{ keyId: 0, wrapped: new Uint8Array(24) }]), "key"],
      ["a weaker policy", action(64, "0.0.43.0.0.255", 1, { type: "enum", value: 0 }), "access"],
      ["an HLS secret", action(15, "0.0.40.0.0.255", 2), "key"],
      ["a password", set(15, "0.0.40.0.0.255", 7), "key"],
      ["firmware", action(18, "0.0.44.0.0.255", 1), "firmware"],
      ["a push destination", set(40, "0.0.25.9.0.255", 3), "push-destination"],
      ["an activity calendar", set(20, "0.0.13.0.0.255", 9), "schedule"],
      ["the clock", set(8, "0.0.1.0.0.255", 2), "clock-move"],
      ["SAP assignment", action(17, "0.0.41.0.0.255", 1), "access"],
      ["a register's reset", action(3, "1.0.1.8.0.255", 1), "records"],
      ["a profile's reset", action(7, "1.0.99.1.0.255", 1), "records"],
      ["a class that nobody knows", set(9999, "0.0.1.2.3.255", 2), "unknown"],
    ];
    const before = await custody.store.ledger.size();
    const items = hostile.map(([, octets]) => ({ apdu: octets }));
    const results = await service.seal({ session, items }, HEAD_END);
    for (const [at, [what, , effect]] of hostile.entries()) {
      const result = results[at] as SealResult;
      assert.ok(result.kind === "refused", `${what} was sealed`);
      assert.deepEqual([result.code, result.effect], ["command-token-missing", effect], what);
    }
    const entries = await custody.store.ledger.read(before, 100);
    assert.equal(entries.length, hostile.length, "one entry for each");
    assert.deepEqual([...new Set(entries.map(({ kind, meter: of }) => `${kind} ${of}`))], [`seal-refused ${TITLE}`]);
    assert.match(entries[0]?.body ?? "", /method 1 of class 70 at 0-0:96\.3\.10\.255/);
    const [withToken] = await service.seal(
      { session, items: [{ apdu: action(70, "0.0.96.3.10.255", 1), token: new Uint8Array(64) }] },
      HEAD_END,
    );
    assert.ok(withToken?.kind === "refused" && withToken.code === "command-token-not-accepted");
    assert.equal(meter.supply, "connected");
  }));

test("what is protected, in blocks, no request, or not to be read is refused too, and spoils nothing beside it", () =>
  withSession(async ({ custody, session, line }) => {
    const { service } = custody.custody;
    const [own] = await service.seal({ session, items: [{ apdu: getRequest(LDN) }] }, HEAD_END);
    const sealed = (own as { apdu: Uint8Array }).apdu;
    const odd: readonly (readonly [Uint8Array, string])[] = [
      [sealed, "already-protected"],
      [Buffer.from("cb0100", "hex"), "not-decodable"],
      [Buffer.from("0e060105", "hex"), "not-a-request"],
      [Buffer.from("ff00", "hex"), "not-decodable"],
      [new Uint8Array(0), "not-decodable"],
      [Buffer.concat([getRequest(LDN), Buffer.from([0])]), "not-decodable"],
      [Buffer.from("c30441000046000060030aff0100000000010100", "hex"), "not-decodable"],
      [Buffer.from("e0c0000100000a", "hex"), "not-decodable"],
      [Buffer.from("e0800001000003c00180", "hex"), "service-not-offered"],
      [Buffer.from("0106", "hex"), "not-decodable"],
    ];
    const results = await service.seal(
      { session, items: [...odd.map(([octets]) => ({ apdu: octets })), { apdu: getRequest(LDN) }] },
      HEAD_END,
    );
    for (const [at, [, code]] of odd.entries()) {
      const result = results[at] as SealResult;
      assert.ok(result.kind === "refused", `item ${at} was sealed`);
      assert.equal(result.code, code, `item ${at}: ${result.message}`);
    }
    const last = results.at(-1) as SealResult;
    assert.ok(last.kind === "sealed");
    line.exchange(sealed);
    assert.ok(line.exchange(last.apdu), "the meter takes the counter of the one that was sealed");
  }));

test("a caller has a budget of seals for each meter: beyond it nothing is sealed, no counter is used, and one entry says so", () =>
  withTestCustody(
    async (custody) => {
      const { service } = custody.custody;
      const meter = new TestMeter({ systemTitle: TITLE });
      const other = new TestMeter({ systemTitle: "5453540000000008" });
      for (const one of [meter, other]) {
        await custody.add(one);
        await carryTakeover(custody, one);
      }
      const { session, line } = await openSession(custody, meter);
      const items = Array.from({ length: 8 }, () => ({ apdu: getRequest(LDN) }));
      const seal = async () => (await service.seal({ session, items }, HEAD_END)).map((one) => one.kind);
      let batches = 0;
      while ((await seal()).every((kind) => kind === "sealed")) batches += 1;
      assert.equal(batches, 7, "64 at once, of which opening the session took 8");
      const title = systemTitle(fromHex(meter.systemTitle));
      await assert.rejects(service.openSession({ meter: title, purpose: "read" }, HEAD_END), {
        code: "seal-budget-exhausted",
      });
      const [refused] = await service.seal({ session, items: [{ apdu: getRequest(LDN) }, ...items] }, HEAD_END);
      assert.deepEqual(
        [refused?.kind, refused && "code" in refused && refused.code],
        ["refused", "seal-budget-exhausted"],
      );
      assert.equal((await kinds(custody)).filter((kind) => kind === "seal-budget-exhausted").length, 1);
      assert.equal((await service.status({}, HEAD_END)).refusals.sealBudget, 18);
      await openSession(custody, other);
      custody.now += 800;
      const answers = (await service.seal({ session, items }, HEAD_END)).map((one) =>
        line.exchange((one as Sealed).apdu),
      );
      assert.ok(
        answers.every((answer) => answer !== undefined),
        "what comes back is usable, and no counter was lost",
      );
    },
    undefined,
    { sealBudget: { burst: 64, perSecond: 10 } },
  ));

test("by default a session of twenty requests every second is never beyond the budget", () =>
  withSession(async ({ custody, meter }) => {
    const { service } = custody.custody;
    const items = Array.from({ length: 20 }, () => ({ apdu: getRequest(LDN) }));
    for (let second = 0; second < 300; second += 1) {
      custody.now += 1000;
      const { session } = await openSession(custody, meter);
      const sealed = await service.seal({ session, items }, HEAD_END);
      assert.ok(
        sealed.every(({ kind }) => kind === "sealed"),
        `second ${second}`,
      );
      await service.closeSession({ session, outcome: "completed" }, HEAD_END);
    }
  }));

test("refusals that come by the thousand are counted in the ledger, each preceded by an entry that says it", () =>
  withSession(async ({ custody, session }) => {
    const { service } = custody.custody;
    const items = Array.from({ length: 500 }, () => ({ apdu: action(70, "0.0.96.3.10.255", 1) }));
    const before = await custody.store.ledger.size();
    for (let batch = 0; batch < 4; batch += 1)
      for (const result of await service.seal({ session, items }, HEAD_END)) assert.equal(result.kind, "refused");
    const said = await kinds(custody, before);
    assert.deepEqual(
      [said.length, said.filter((kind) => kind === "seal-refused").length, said.at(-1)],
      [33, 32, "entries-counted-from-here"],
    );
    // What is refused for another reason is not lost among them.
    const token = new Uint8Array(64);
    await service.seal({ session, items: [{ apdu: action(70, "0.0.96.3.10.255", 1), token }] }, HEAD_END);
    assert.deepEqual((await kinds(custody, before)).slice(33), ["seal-refused"]);
    custody.now += 60_000;
    await custody.custody.sweep();
    const last = (await custody.store.ledger.read(0, 10_000)).at(-1);
    const { of, count, sha256 } = JSON.parse(last?.body ?? "{}") as Record<string, unknown>;
    assert.deepEqual([last?.kind, last?.meter, of, count], ["entries-counted", TITLE, "seal-refused", 2000 - 32]);
    assert.match(String(sha256), /^[0-9a-f]{64}$/);
    assert.equal((await service.status({}, HEAD_END)).refusals.entriesCounted, 2000 - 32);
  }));

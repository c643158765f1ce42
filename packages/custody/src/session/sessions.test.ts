import assert from "node:assert/strict";
import { test } from "node:test";
import type { SealResult } from "@meterkeep/api/custodian";
import {
  apdu,
  type Data,
  decode,
  encode,
  fromHex,
  logicalNameOctets,
  systemTitle,
  systemTitleText,
} from "@meterkeep/dlms";
import { getRequest, getResult, keyTransferRequest, textOf } from "../protocol/requests.ts";
import { carryTakeover, DEPOT, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { type TestCharacter, TestMeter } from "../testing/test-meter.ts";
import { IDLE_MILLISECONDS } from "./sessions.ts";

type Sealed = Extract<SealResult, { kind: "sealed" }>;

const TITLE = "5453540000000007";
const LDN = { classId: 1, logicalName: "0.0.42.0.0.255", attributeId: 2 };
const INVOKE = { invokeId: 1, confirmed: true, highPriority: true } as const;

/** A meter that is taken over and a session with it. */
async function withSession(
  body: (parts: {
    custody: TestCustody;
    meter: TestMeter;
    session: string;
    line: ReturnType<TestMeter["connect"]>;
  }) => Promise<void>,
  character: TestCharacter = "honest",
): Promise<void> {
  await withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE, character });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    const { session, line } = await openSession(custody, meter);
    await body({ custody, meter, session, line });
  });
}

async function openSession(custody: TestCustody, meter: TestMeter) {
  const { service } = custody.custody;
  const title = systemTitle(fromHex(meter.systemTitle));
  const opened = await service.openSession({ meter: title, purpose: "read" }, HEAD_END);
  const line = meter.connect(opened.clientSap, opened.serverSap);
  for (let send = opened.apdu; ; ) {
    const received = line.exchange(send) as Uint8Array;
    const advance = await service.advanceSession({ session: opened.session, received }, HEAD_END);
    if (advance.kind === "established") return { session: opened.session, line, advance };
    assert.ok(advance.kind === "send", JSON.stringify(advance));
    send = advance.apdu;
  }
}

const kinds = async (custody: TestCustody, from = 0) =>
  (await custody.store.ledger.read(from, 1000)).map(({ kind }) => kind);

const action = (
  classId: number,
  logicalName: string,
  methodId: number,
  parameters: Data = { type: "integer", value: 0 },
) =>
  encode(apdu, {
    kind: "action-request",
    value: {
      kind: "normal",
      value: {
        invokeIdAndPriority: INVOKE,
        method: { classId, instanceId: logicalNameOctets(logicalName), methodId },
        parameters,
      },
    },
  });

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

test("a meter whose counter is ahead of ours refuses, and is asked for its counter by a rotation that the third refusal plans", () =>
  withSession(async ({ custody, meter, session }) => {
    const { service } = custody.custody;
    await service.closeSession({ session, outcome: "completed" }, HEAD_END);
    const due = async () => (await service.contactsDue({ limit: 9 }, HEAD_END)).meters.map(systemTitleText);
    meter.usedUpTo(5_000);
    for (let refusal = 1; refusal <= 3; refusal += 1) {
      assert.deepEqual(await due(), [], `before refusal ${refusal}`);
      await assert.rejects(openSession(custody, meter));
    }
    assert.deepEqual(await due(), [TITLE]);
    const planned = (await custody.store.ledger.read(0, 1000)).filter(({ kind }) => kind === "rotations-planned");
    assert.deepEqual(
      planned.map(({ principal, meter: whose }) => [principal, whose]),
      [["policy", TITLE]],
    );
    assert.equal((await carryTakeover(custody, meter)).state.verdict, "proven");
    await openSession(custody, meter);
  }));

test("refusals that a proof comes between are no reason to ask a meter for its counter", () =>
  withSession(async ({ custody, meter }) => {
    const title = systemTitle(fromHex(TITLE));
    const { service } = custody.custody;
    const refused = async (): Promise<void> => {
      const opened = await service.openSession({ meter: title, purpose: "read" }, HEAD_END);
      const received = (meter.connect(opened.clientSap, opened.serverSap).exchange(opened.apdu) as Uint8Array).map(
        (octet, at, all) => (at === all.length - 1 ? octet ^ 1 : octet),
      );
      const advance = await service.advanceSession({ session: opened.session, received }, HEAD_END);
      assert.equal(advance.kind, "failed");
    };
    for (let round = 0; round < 3; round += 1) {
      await refused();
      await refused();
      await openSession(custody, meter);
    }
    assert.deepEqual((await service.contactsDue({ limit: 9 }, HEAD_END)).meters, []);
  }));

test("a push may overtake a response and be overtaken by it: each counter is taken once, also after a crash", () =>
  withSession(async ({ custody, meter, session, line }) => {
    const { service } = custody.custody;
    const push = async (octets: Uint8Array) => {
      const [opened] = await custody.custody.service.openPush(
        { items: [{ apdu: octets, transport: "tcp" }] },
        HEAD_END,
      );
      return opened?.kind === "refused" ? opened.code : opened?.kind;
    };
    const early = meter.push("authenticated");
    const [one, two] = (await service.seal(
      { session, items: [1, 2].map(() => ({ apdu: getRequest(LDN) })) },
      HEAD_END,
    )) as [Sealed, Sealed];
    const first = line.exchange(one.apdu) as Uint8Array;
    const between = meter.push("authenticated");
    const second = line.exchange(two.apdu) as Uint8Array;
    const late = meter.push("authenticated");
    const read = async (octets: Uint8Array) => (await service.open({ session, apdus: [octets] }, HEAD_END))[0]?.kind;
    assert.equal(await push(late), "opened", "it overtakes both responses");
    assert.equal(await read(second), "opened");
    assert.equal(await push(early), "opened");
    assert.equal(await read(first), "opened");
    assert.equal(await push(between), "opened");
    assert.notEqual(await read(first), "opened", "a response is taken once");
    for (const octets of [early, between, late]) assert.equal(await push(octets), "replayed");
    await custody.restart();
    for (const octets of [early, between, late]) assert.equal(await push(octets), "replayed");
  }));

test("a session reads a meter, and the ledger has it before the AARQ leaves and when it is over", () =>
  withSession(async ({ custody, meter, session, line }) => {
    const { service } = custody.custody;
    const before = await custody.store.ledger.size();
    assert.ok((await kinds(custody)).includes("session-opened"));
    const items = [1, 2, 3].map(() => ({ apdu: getRequest(LDN) }));
    const sealed = await service.seal({ session, items }, HEAD_END);
    const answers = sealed.map((one) => line.exchange((one as { apdu: Uint8Array }).apdu) as Uint8Array);
    const opened = await service.open({ session, apdus: answers }, HEAD_END);
    for (const one of opened) {
      assert.ok(one.kind === "opened" && one.authenticated && one.encrypted);
      assert.equal(textOf(getResult(one.apdu)), meter.logicalDeviceName);
    }
    assert.equal(await custody.store.ledger.size(), before, "nothing is written for a harmless APDU");
    const { apdu: release } = await service.releaseSession({ session }, HEAD_END);
    assert.ok(line.exchange(release));
    await service.closeSession({ session, outcome: "completed" }, HEAD_END);
    const [entry] = await custody.store.ledger.read(before, 10);
    assert.equal(entry?.kind, "session-closed");
    const { toMeter, fromMeter, sha256, outcome } = JSON.parse(entry?.body ?? "") as Record<string, unknown>;
    assert.deepEqual([toMeter, fromMeter, outcome], [6, 5, "completed"]);
    assert.match(String(sha256), /^[0-9a-f]{64}$/);
    await assert.rejects(async () => service.seal({ session, items }, HEAD_END), { code: "session-unknown" });
  }));

test("a session is released and closed in one call: the closing entry counts the RLRQ, and comes before it", () =>
  withSession(async ({ custody, session, line }) => {
    const { service } = custody.custody;
    const before = await custody.store.ledger.size();
    const ending = { session, outcome: "completed", releases: true } as const;
    // Whoever asks twice at once gets one release, and the ledger one closing entry.
    const [one, other] = await Promise.allSettled([
      service.closeSession(ending, HEAD_END),
      service.closeSession(ending, HEAD_END),
    ]);
    const entries = await custody.store.ledger.read(before, 10);
    assert.equal(entries.filter(({ kind }) => kind === "session-closed").length, 1);
    const { toMeter, outcome } = JSON.parse(entries[0]?.body ?? "") as Record<string, unknown>;
    assert.deepEqual([toMeter, outcome], [3, "completed"]);
    assert.ok(one.status === "fulfilled" && line.exchange(one.value.apdu as Uint8Array));
    assert.equal(other.status, "rejected");
    await assert.rejects(async () => service.closeSession(ending, HEAD_END), { code: "session-unknown" });
  }));

test("a session whose release cannot be sealed is closed all the same, and whoever asked hears why", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    const { service } = custody.custody;
    const asked = { meter: systemTitle(fromHex(TITLE)), purpose: "read" } as const;
    const { session } = await service.openSession(asked, HEAD_END);
    const before = await custody.store.ledger.size();
    const ending = service.closeSession({ session, outcome: "failed", releases: true }, HEAD_END);
    await assert.rejects(ending, { code: "session-not-established" });
    assert.equal((await custody.store.ledger.read(before, 10))[0]?.kind, "session-closed");
    await assert.rejects(async () => service.advanceSession({ session, received: new Uint8Array(1) }, HEAD_END), {
      code: "session-unknown",
    });
  }));

test("with keys unsealed for each call a session reads as with keys that are kept", () =>
  withTestCustody(
    async (custody) => {
      const meter = new TestMeter({ systemTitle: TITLE });
      await custody.add(meter);
      await carryTakeover(custody, meter);
      const { session, line } = await openSession(custody, meter);
      const { service } = custody.custody;
      for (let read = 0; read < 3; read += 1) {
        const [sealed] = (await service.seal({ session, items: [{ apdu: getRequest(LDN) }] }, HEAD_END)) as [Sealed];
        const apdus = [line.exchange(sealed.apdu) as Uint8Array];
        const [opened] = await service.open({ session, apdus }, HEAD_END);
        assert.ok(opened?.kind === "opened" && opened.authenticated && opened.encrypted);
        assert.equal(textOf(getResult(opened.apdu)), meter.logicalDeviceName);
      }
      assert.ok(line.exchange((await service.releaseSession({ session }, HEAD_END)).apdu));
      await service.closeSession({ session, outcome: "completed" }, HEAD_END);
    },
    undefined,
    { keeping: () => "call" },
  ));

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
      ["the clock", set(8, "0.0.1.0.0.255", 2), "clock"],
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

test("an answer is opened once, and only the meter's", () =>
  withSession(async ({ custody, session, line }) => {
    const { service } = custody.custody;
    const [sealed] = await service.seal({ session, items: [{ apdu: getRequest(LDN) }] }, HEAD_END);
    const answer = line.exchange((sealed as Sealed).apdu) as Uint8Array;
    const changed = new Uint8Array(answer);
    changed[changed.length - 1] = (changed.at(-1) as number) ^ 1;
    const plain = encode(apdu, {
      kind: "get-response",
      value: {
        kind: "normal",
        value: { invokeIdAndPriority: INVOKE, result: { kind: "data", value: { type: "unsigned", value: 1 } } },
      },
    });
    const results = await service.open(
      { session, apdus: [changed, plain, (sealed as Sealed).apdu, answer, answer] },
      HEAD_END,
    );
    assert.deepEqual(
      results.map((result) => (result.kind === "refused" ? result.code : result.kind)),
      ["not-authentic", "not-authentic", "not-authentic", "opened", "replayed"],
    );
    const later = await openSession(custody, new TestMeter({ systemTitle: TITLE })).catch(() => undefined);
    assert.equal(later, undefined, "a meter with other keys does not get a session");
  }));

test("answers of a former session do not pass in a later one", () =>
  withSession(async ({ custody, meter, session, line }) => {
    const { service } = custody.custody;
    const read = async (of: string, over: typeof line) => {
      const [sealed] = await service.seal({ session: of, items: [{ apdu: getRequest(LDN) }] }, HEAD_END);
      return over.exchange((sealed as Sealed).apdu) as Uint8Array;
    };
    const former = await read(session, line);
    const next = await openSession(custody, meter);
    const [result] = await service.open({ session: next.session, apdus: [former] }, HEAD_END);
    assert.deepEqual(result, { kind: "refused", code: "replayed" });
    const [fresh] = await service.open(
      { session: next.session, apdus: [await read(next.session, next.line)] },
      HEAD_END,
    );
    assert.equal(fresh?.kind, "opened");
  }));

test("an exception-response passes as what it is: said by nobody in particular", () =>
  withSession(async ({ custody, session }) => {
    const [result] = await custody.custody.service.open({ session, apdus: [fromHex("d80105")] }, HEAD_END);
    assert.ok(result?.kind === "opened" && !result.authenticated && !result.encrypted);
  }));

test("no counter is used twice: not by two sessions at once, not after a crash", () =>
  withSession(async ({ custody, meter, session, line }) => {
    const counters: number[] = [];
    const seal = async (of: string, count: number) => {
      const items = Array.from({ length: count }, () => ({ apdu: getRequest(LDN) }));
      for (const one of await custody.custody.service.seal({ session: of, items }, HEAD_END)) {
        const sealed = (one as { apdu: Uint8Array }).apdu;
        // general-glo-ciphering: tag, title with its length, length, security control, counter.
        counters.push(Buffer.from(sealed).readUInt32BE(12));
        assert.ok(line.exchange(sealed) !== undefined || true);
      }
    };
    const other = await openSession(custody, meter);
    await Promise.all([seal(session, 70), seal(other.session, 50), seal(session, 3), seal(other.session, 200)]);
    await custody.restart();
    const { session: third } = await openSession(custody, meter);
    await seal(third, 5);
    assert.equal(new Set(counters).size, counters.length);
    assert.ok(Math.min(...counters.slice(-5)) > Math.max(...counters.slice(0, -5)));
  }));

test("before a takeover has settled which keys a meter has, no session is opened", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    const title = systemTitle(fromHex(TITLE));
    const { service } = custody.custody;
    await assert.rejects(service.openSession({ meter: title, purpose: "read" }, HEAD_END), {
      code: "meter-not-taken-over",
    });
    await assert.rejects(service.openSession({ meter: systemTitle(new Uint8Array(8)), purpose: "read" }, HEAD_END), {
      code: "unknown-meter",
    });
  }));

test("meters that kept a key are still read, with the keys they have", async () => {
  for (const character of ["keeps-all-keys", "keeps-master", "opens-with-both"] as const)
    await withSession(async ({ custody, session, line }) => {
      const [sealed] = await custody.custody.service.seal({ session, items: [{ apdu: getRequest(LDN) }] }, HEAD_END);
      const answers = [line.exchange((sealed as Sealed).apdu) as Uint8Array];
      const [opened] = await custody.custody.service.open({ session, apdus: answers }, HEAD_END);
      assert.equal(opened?.kind, "opened", character);
    }, character);
});

test("a session belongs to the principal that opened it, and is closed when nobody uses it", () =>
  withSession(async ({ custody, session }) => {
    const { service } = custody.custody;
    const items = [{ apdu: getRequest(LDN) }];
    await assert.rejects(async () => service.seal({ session, items }, DEPOT), { code: "session-unknown" });
    custody.now += IDLE_MILLISECONDS + 1;
    await custody.custody.sweep();
    await assert.rejects(async () => service.seal({ session, items }, HEAD_END), { code: "session-unknown" });
    const last = (await custody.store.ledger.read(0, 1000)).findLast(({ kind }) => kind === "session-closed");
    assert.deepEqual([last?.kind, JSON.parse(last?.body ?? "{}").outcome], ["session-closed", "abandoned"]);
  }));

test("what cannot be written to the ledger does not happen", () =>
  withSession(async ({ custody, meter }) => {
    const title = systemTitle(fromHex(meter.systemTitle));
    custody.crashAt(0, "before");
    await assert.rejects(custody.custody.service.openSession({ meter: title, purpose: "read" }, HEAD_END));
    custody.crashAt(0, "before");
    const { session } = await openSession(custody, meter).catch(() => ({ session: undefined }));
    assert.equal(session, undefined);
    custody.crashAt(undefined, "before");
    const again = await openSession(custody, meter);
    custody.crashAt(0, "before");
    const hostile = [{ apdu: action(70, "0.0.96.3.10.255", 1) }];
    await assert.rejects(async () =>
      custody.custody.service.seal({ session: again.session, items: hostile }, HEAD_END),
    );
  }));

test("conformance and the longest APDU of the meter are told when the session is established", () =>
  withSession(async ({ custody, meter }) => {
    const { advance } = await openSession(custody, meter);
    assert.ok(advance.conformance.includes("get") && advance.conformance.includes("action"));
    assert.ok(advance.maxReceivePduSize > 0);
    assert.equal(decode(apdu, getRequest(LDN)).kind, "get-request");
  }));

test("a challenge that would make an APDU authentic, is our own, or is too short or long is not answered", async () => {
  const disconnect = Buffer.from("c301c10046000060030aff0101120001", "hex");
  for (const challenge of [disconnect, new Uint8Array(7).fill(1), new Uint8Array(65).fill(1)])
    await withSession(async ({ custody, meter }) => {
      meter.challenges = { current: new Uint8Array(challenge) };
      const title = systemTitle(fromHex(meter.systemTitle));
      const { service } = custody.custody;
      const opened = await service.openSession({ meter: title, purpose: "read" }, HEAD_END);
      const received = meter.connect(opened.clientSap, opened.serverSap).exchange(opened.apdu) as Uint8Array;
      const advance = await service.advanceSession({ session: opened.session, received }, HEAD_END);
      assert.equal(advance.kind, "failed", `${challenge.length} octets`);
      const last = (await custody.store.ledger.read(0, 1000)).findLast(({ kind }) => kind === "session-closed");
      assert.match(last?.body ?? "", /server-not-authentic.*challenge/);
    });
});

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

test("no more sessions are open at once than there is room for, whoever opens them, and one that ends makes room", () =>
  withTestCustody(
    async (custody) => {
      const meter = new TestMeter({ systemTitle: TITLE });
      await custody.add(meter);
      await carryTakeover(custody, meter);
      const { session } = await openSession(custody, meter);
      await openSession(custody, meter);
      const another = { name: "another", role: "head-end" } as const;
      const request = { meter: systemTitle(fromHex(TITLE)), purpose: "read" } as const;
      for (const caller of [HEAD_END, another])
        await assert.rejects(custody.custody.service.openSession(request, caller), { code: "too-many-open" });
      await custody.custody.service.closeSession({ session, outcome: "completed" }, HEAD_END);
      await openSession(custody, meter);
    },
    undefined,
    { mostSessions: 2 },
  ));

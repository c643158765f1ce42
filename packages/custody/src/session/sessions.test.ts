import assert from "node:assert/strict";
import { test } from "node:test";
import type { SealResult } from "@meterkeep/api/custodian";
import { apdu, decode, encode, fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import { getRequest, getResult, textOf } from "../protocol/requests.ts";
import { carryTakeover, DEPOT, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { action, INVOKE, kinds, LDN, openSession, TITLE, withSession } from "../testing/test-session.ts";
import { IDLE_MILLISECONDS } from "./sessions.ts";

type Sealed = Extract<SealResult, { kind: "sealed" }>;

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

test("what a meter sent is in the closing entry, though the session is closed while it is opened", () =>
  withSession(async ({ custody, session, line }) => {
    const { service } = custody.custody;
    const [sealed] = (await service.seal({ session, items: [{ apdu: getRequest(LDN) }] }, HEAD_END)) as [Sealed];
    const answer = line.exchange(sealed.apdu) as Uint8Array;
    const [[opened]] = await Promise.all([
      service.open({ session, apdus: [answer] }, HEAD_END),
      service.closeSession({ session, outcome: "completed" }, HEAD_END),
    ]);
    assert.equal(opened?.kind, "opened");
    assert.equal((await lastClosing(custody)).fromMeter, 3, "AARE, HLS and the answer");
  }));

test("what an association sends is in the closing entry, though the session is closed while it is made", () =>
  withTestCustody(async (custody) => {
    const meter = new TestMeter({ systemTitle: TITLE });
    await custody.add(meter);
    await carryTakeover(custody, meter);
    const { service } = custody.custody;
    const request = { meter: systemTitle(fromHex(TITLE)), purpose: "read" } as const;
    const { session, clientSap, serverSap, apdu: aarq } = await service.openSession(request, HEAD_END);
    const received = meter.connect(clientSap, serverSap).exchange(aarq) as Uint8Array;
    const [advanced] = await Promise.all([
      service.advanceSession({ session, received }, HEAD_END),
      service.closeSession({ session, outcome: "completed" }, HEAD_END),
    ]);
    assert.equal(advanced.kind, "send");
    const { toMeter, fromMeter } = await lastClosing(custody);
    assert.deepEqual([toMeter, fromMeter], [2, 1]);
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
    assert.equal(advance.conformance.includes("general-block-transfer"), false, "a session that only reads");
    const writing = (await openSession(custody, meter, "configure")).advance.conformance;
    assert.ok(writing.includes("general-block-transfer") && !writing.includes("block-transfer-with-set-or-write"));
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

async function lastClosing(custody: TestCustody) {
  const entry = (await custody.store.ledger.read(0, 1000)).findLast(({ kind }) => kind === "session-closed");
  return JSON.parse(entry?.body ?? "{}");
}

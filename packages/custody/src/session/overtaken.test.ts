import assert from "node:assert/strict";
import { test } from "node:test";
import { apdu, encode, fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import { HEAD_END } from "../testing/test-custody.ts";
import { openSession, TITLE, withSession } from "../testing/test-session.ts";

test("a session whose counters another one has overtaken says so, however often, and that is no reason to ask the meter for its counter", () =>
  withSession(async ({ custody, meter }) => {
    const { service } = custody.custody;
    const title = systemTitle(fromHex(TITLE));
    for (let round = 1; round <= 4; round += 1) {
      // Both are opened before either speaks: a head-end that begins to speak late has the lower counters.
      const late = await service.openSession({ meter: title, purpose: "read" }, HEAD_END);
      await openSession(custody, meter);
      const line = meter.connect(late.clientSap, late.serverSap);
      const received = line.exchange(late.apdu) as Uint8Array;
      const advance = await service.advanceSession({ session: late.session, received }, HEAD_END);
      assert.ok(advance.kind === "failed" && advance.code === "session-overtaken", JSON.stringify(advance));
      assert.match(advance.message, /the server expects invocation counter \d+.*open a new one/);
      // On the line that it has by now, nobody overtakes the next one.
      await openSession(custody, meter);
    }
    const { meters } = await service.contactsDue({ limit: 9 }, HEAD_END);
    assert.deepEqual(meters.map(systemTitleText), []);
  }));

test("a session that is overtaken between the AARE and its proof says so", () =>
  withSession(async ({ custody, meter }) => {
    const { service } = custody.custody;
    const late = await service.openSession({ meter: systemTitle(fromHex(TITLE)), purpose: "read" }, HEAD_END);
    const line = meter.connect(late.clientSap, late.serverSap);
    const accepted = await service.advanceSession(
      { session: late.session, received: line.exchange(late.apdu) as Uint8Array },
      HEAD_END,
    );
    assert.ok(accepted.kind === "send");
    await openSession(custody, meter);
    const received = line.exchange(accepted.apdu) as Uint8Array;
    const advance = await service.advanceSession({ session: late.session, received }, HEAD_END);
    assert.ok(advance.kind === "failed" && advance.code === "session-overtaken", JSON.stringify(advance));
  }));

test("a meter that asks for a counter which nobody was given has refused, whoever spoke meanwhile; one that proves other keys is not authentic", () =>
  withSession(async ({ custody, meter }) => {
    const { service } = custody.custody;
    const advanced = async (change: (received: Uint8Array) => Uint8Array) => {
      const late = await service.openSession({ meter: systemTitle(fromHex(TITLE)), purpose: "read" }, HEAD_END);
      const received = meter.connect(late.clientSap, late.serverSap).exchange(late.apdu) as Uint8Array;
      await service.openSession({ meter: systemTitle(fromHex(TITLE)), purpose: "read" }, HEAD_END);
      const advance = await service.advanceSession({ session: late.session, received: change(received) }, HEAD_END);
      return advance.kind === "failed" ? advance.code : advance.kind;
    };
    const spoilt = (octets: Uint8Array) => octets.map((octet, at) => (at === octets.length - 1 ? octet ^ 1 : octet));
    assert.equal(await advanced(spoilt), "not-authentic");
    meter.usedUpTo(900_000);
    assert.equal(await advanced((octets) => octets), "association-rejected");
  }));

test("a meter that refuses whoever comes is asked for its counter also where somebody opens a session beside each of another's", () =>
  withSession(async ({ custody }) => {
    const { service } = custody.custody;
    const request = { meter: systemTitle(fromHex(TITLE)), purpose: "read" } as const;
    const refusal = encode(apdu, {
      kind: "exception-response",
      value: { stateError: "service-not-allowed", serviceError: { kind: "other-reason" } },
    });
    const due = async () => (await service.contactsDue({ limit: 9 }, HEAD_END)).meters.map(systemTitleText);
    for (let refused = 0; refused < 30; refused += 1) {
      assert.deepEqual(await due(), [], `before refusal ${refused}`);
      const { session } = await service.openSession(request, HEAD_END);
      const beside = await service.openSession(request, HEAD_END);
      const advance = await service.advanceSession({ session, received: refusal }, HEAD_END);
      assert.ok(advance.kind === "failed" && advance.code === "session-overtaken", JSON.stringify(advance));
      await service.closeSession({ session: beside.session, outcome: "completed" }, HEAD_END);
    }
    assert.deepEqual(await due(), [TITLE]);
  }));

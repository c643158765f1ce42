import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../bytes.ts";
import { encode } from "../codec/codec.ts";
import { d } from "../data/d.ts";
import { OFFERED_CONFORMANCE } from "../server/offer.ts";
import {
  CLIENTS,
  ECHO,
  Echo,
  lineTo,
  managementConfig,
  openTestSession,
  testKey,
  testMeter,
} from "../testing/meter.test.ts";
import type { ConformanceBit } from "../xdlms/conformance.ts";

const text = { classId: Echo.id, logicalName: ECHO, attributeId: 2 };
const repeat = { classId: Echo.id, logicalName: ECHO, methodId: 1 };
const NOBODY = { aborted: false, addEventListener() {}, removeEventListener() {} };
const config = (...without: ConformanceBit[]) => ({
  ...managementConfig({ form: "general-global" }),
  conformance: OFFERED_CONFORMANCE.filter((bit) => !without.includes(bit)),
});

test("a long request without an answer goes in general blocks, and the same once more is another one", async () => {
  const meter = testMeter();
  const sent: Uint8Array[] = [];
  const line = lineTo(meter, CLIENTS.management, (apdu) => sent.push(apdu));
  const session = await openTestSession(meter, CLIENTS.management, config(), { exchange: line.exchange, line });
  const long = encode(d.octetString, testKey(5, 2000));
  sent.length = 0;
  await session.setUnconfirmed(text, long);
  assert.equal(toHex(meter.state.text), toHex(testKey(5, 2000)));
  assert.ok(sent.length > 3 && sent.every((apdu) => apdu[0] === 0xe0 && apdu.length <= 512));
  meter.state.text = testKey(0, 3);
  await session.setUnconfirmed(text, long);
  assert.equal(meter.state.text.length, 2000);
  await session.callUnconfirmed(repeat, long);
  assert.equal(await line.receive(NOBODY), undefined, "nothing of it is answered");
  assert.equal((await session.get(text)).length, 2004, "and the association goes on");
});

test("without general blocks it has to fit: blocks of the service would each want an answer", async () => {
  const meter = testMeter();
  const line = lineTo(meter, CLIENTS.management);
  const session = await openTestSession(meter, CLIENTS.management, config("general-block-transfer"), {
    exchange: line.exchange,
    line,
  });
  const long = encode(d.octetString, testKey(5, 600));
  await assert.rejects(session.setUnconfirmed(text, long), { code: "request-too-long" });
  await assert.rejects(session.callUnconfirmed(repeat, long), { code: "request-too-long" });
  assert.equal(meter.state.text.length, 10);
  await session.setUnconfirmed(text, long.subarray(0, 3));
  await session.setUnconfirmed(text, encode(d.octetString, testKey(5, 400)));
  assert.equal(meter.state.text.length, 400);
});

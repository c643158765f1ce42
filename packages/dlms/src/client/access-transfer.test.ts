import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { OFFERED_CONFORMANCE } from "../server/offer.ts";
import {
  CLIENTS,
  CLOCK,
  ECHO,
  Echo,
  ENERGY,
  lineTo,
  managementConfig,
  openTestSession,
  testMeter,
} from "../testing/meter.test.ts";
import type { AccessItem } from "./access-transfer.ts";

const config = { ...managementConfig({ form: "general-global" }), conformance: OFFERED_CONFORMANCE };
const text = { classId: Echo.id, logicalName: ECHO, attributeId: 2 };
const ITEMS: readonly AccessItem[] = [
  { kind: "get", address: { classId: 3, logicalName: ENERGY, attributeId: 2 } },
  { kind: "set", address: { classId: 8, logicalName: CLOCK, attributeId: 3 }, value: fromHex("100000") },
  { kind: "set", address: text, value: fromHex("0902aabb") },
  { kind: "call", address: { classId: Echo.id, logicalName: ECHO, methodId: 1 }, parameter: fromHex("09020102") },
  { kind: "get", address: text },
];

test("ACCESS does several things in order, and says of each how it went", async () => {
  const session = await openTestSession(testMeter(), CLIENTS.management, config);
  const results = await session.access(ITEMS);
  assert.deepEqual(
    results.map(({ kind, result, value }) => [kind, result, toHex(value)]),
    [
      ["get", "success", "06000004d2"],
      ["set", "read-write-denied", "00"],
      ["set", "success", "00"],
      ["call", "success", "090401020102"],
      ["get", "success", "0902aabb"],
    ],
  );
});

test("ACCESS that breaks on error does nothing after the first one", async () => {
  const session = await openTestSession(testMeter(), CLIENTS.management, config);
  const results = await session.access(ITEMS, { breakOnError: true, selfDescriptive: true });
  assert.deepEqual(
    results.map(({ result }) => result),
    ["success", "read-write-denied", "other-reason", "other-reason", "other-reason"],
  );
});

test("what nobody answers is done, and needs a line", async () => {
  const meter = testMeter();
  const line = lineTo(meter, CLIENTS.management);
  const session = await openTestSession(meter, CLIENTS.management, config, { exchange: line.exchange, line });
  await session.setUnconfirmed(text, fromHex("0901cc"));
  assert.equal(toHex(meter.state.text), "cc");
  await session.callUnconfirmed({ classId: 70, logicalName: "0.0.96.3.10.255", methodId: 1 }, fromHex("0f00"));
  assert.equal(meter.state.connected, false);
  assert.equal(await line.receive({ aborted: false, addEventListener() {}, removeEventListener() {} }), undefined);
  const without = await openTestSession(testMeter(), CLIENTS.management, config);
  await assert.rejects(without.setUnconfirmed(text, fromHex("0901cc")), { code: "line-missing" });
});

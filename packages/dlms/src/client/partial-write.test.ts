import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { encode } from "../codec/codec.ts";
import { d } from "../data/d.ts";
import { OFFERED_CONFORMANCE } from "../server/offer.ts";
import {
  CLIENTS,
  CLOCK,
  ECHO,
  Echo,
  managementConfig,
  openTestSession,
  testKey,
  testMeter,
} from "../testing/meter.test.ts";
import { remote } from "./remote.ts";

const text = { classId: Echo.id, logicalName: ECHO, attributeId: 2 };
const from = (at: number) => ({ selector: 1, parameters: encode(d.longUnsigned, at) });
const octets = (hex: string) => encode(d.octetString, fromHex(hex));

test("a part of an attribute is written where its class has a handler for parts", async () => {
  const meter = testMeter();
  const session = await openTestSession(meter, CLIENTS.management, managementConfig());
  const echo = remote(session, Echo, ECHO);
  await echo.set("text", fromHex("aabb"), { kind: "from", value: 3 });
  assert.equal(toHex(meter.state.text), "000102aabb0506070809");
  assert.equal(toHex(await echo.get("text", { kind: "from", value: 4 })), "bb0506070809");
  await assert.rejects(echo.set("text", fromHex("aabb"), { kind: "from", value: 9 }), {
    code: "data-access-refused",
    reason: "scope-of-access-violated",
  });
  assert.equal(toHex(meter.state.text), "000102aabb0506070809");
});

test("lists, ACCESS and blocks write parts as well", async () => {
  const meter = testMeter();
  const config = {
    ...managementConfig({ form: "general-global" }),
    conformance: OFFERED_CONFORMANCE.filter((bit) => bit !== "general-block-transfer"),
  };
  const session = await openTestSession(meter, CLIENTS.management, config);
  const results = await session.setList([
    { ...text, value: octets("f0"), selection: from(0) },
    { ...text, value: octets("f1"), selection: from(10) },
  ]);
  assert.deepEqual(results, ["success", "scope-of-access-violated"]);
  const [accessed] = await session.access([{ kind: "set", address: text, value: octets("f2"), selection: from(2) }]);
  assert.equal(accessed?.result, "success");
  assert.equal(toHex(meter.state.text), "f001f203040506070809");
  await session.set(text, encode(d.octetString, testKey(0, 2000)));
  await session.set(text, encode(d.octetString, testKey(7, 1500)), from(400));
  assert.equal(toHex(meter.state.text.subarray(398, 402)), "8e8f0708");
});

test("where a class has none, the whole attribute is not written instead", async () => {
  const session = await openTestSession(testMeter(), CLIENTS.management, managementConfig());
  const zone = { classId: 8, logicalName: CLOCK, attributeId: 2 };
  await assert.rejects(session.set(zone, octets("07ea0b15060000000000003c00"), from(0)), {
    reason: "scope-of-access-violated",
  });
  const other = { selector: 2, parameters: encode(d.longUnsigned, 0) };
  await assert.rejects(session.set(text, octets("aa"), other), { reason: "scope-of-access-violated" });
  const untyped = { selector: 1, parameters: encode(d.octetString, fromHex("aa")) };
  await assert.rejects(session.set(text, octets("aa"), untyped), { reason: "scope-of-access-violated" });
});

test("an association that did not agree on selective access writes no parts", async () => {
  const meter = testMeter();
  const conformance = OFFERED_CONFORMANCE.filter((bit) => bit !== "selective-access" && bit !== "parameterized-access");
  const session = await openTestSession(meter, CLIENTS.management, { ...managementConfig(), conformance });
  await assert.rejects(session.set(text, octets("aa"), from(0)), { reason: "scope-of-access-violated" });
  assert.equal(toHex(meter.state.text), toHex(testKey(0, 10)));
});

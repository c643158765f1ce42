import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../bytes.ts";
import { CLIENTS, managementConfig, openTestSession, testMeter } from "../testing/meter.test.ts";

const ECHO_TEXT = "2328 0000600109ff 02";
const ECHO_REPEAT = "2328 0000600109ff 01";

/** A plain association with small PDUs, so that everything comes in blocks. */
async function line(options: { readonly maxLongRequestBytes?: number; readonly pduSize?: number } = {}) {
  const { pduSize = 60, ...server } = options;
  const meter = testMeter({ rows: 10, ...server });
  const connection = meter.server.connect(CLIENTS.management, 1);
  const handle = (apdu: Uint8Array) => meter.server.handle(connection, apdu) ?? fromHex("");
  const config = { ...managementConfig(), cipheredContext: false, maxReceivePduSize: pduSize };
  await openTestSession(meter, CLIENTS.management, config, { exchange: async (apdu) => handle(apdu) });
  return { meter, send: (hex: string) => toHex(handle(fromHex(hex))) };
}

const GET_PROFILE = "c001c1 0007 0100630100ff 02 00";

test("a long GET is given block by block, and only in order", async () => {
  const { send } = await line();
  assert.match(send(GET_PROFILE), /^c402c10000000001002f010a0202090c/);
  assert.match(send("c002c100000001"), /^c402c1000000000200/);
  assert.equal(send("c002c100000001"), "c402c101000000010113", "data-block-number-invalid");
  assert.equal(send("c002c100000002"), "c402c101000000020110", "no-long-get-in-progress");
});

test("another request ends a long GET, and another invoke id does not continue it", async () => {
  const { send } = await line();
  send(GET_PROFILE);
  assert.equal(send("c002c200000001"), "c402c201000000010110");
  send(GET_PROFILE);
  send("c001c1 0008 0000010000ff 03 00");
  assert.equal(send("c002c100000001"), "c402c101000000010110");
});

test("a long SET is written when its last block is there, and only in order", async () => {
  const { meter, send } = await line();
  assert.equal(send(`c102c1 ${ECHO_TEXT} 00 00 00000001 03 090401`), "c502c100000001");
  assert.equal(send("c103c1 01 00000002 03 020304"), "c503c10000000002");
  assert.deepEqual(meter.state.text, fromHex("01020304"));
  assert.equal(send("c103c1 01 00000003 01 05"), "c503c11200000003", "no-long-set-in-progress");
  send(`c102c1 ${ECHO_TEXT} 00 00 00000001 03 090401`);
  assert.equal(send("c103c1 01 00000003 03 020304"), "c503c11300000003", "data-block-number-invalid");
  assert.deepEqual(meter.state.text, fromHex("01020304"));
});

test("the blocks of a long SET do not say what they are of: mixed, one value is written to another attribute", async () => {
  const { meter, send } = await line();
  const wattHours = "0003 0100010800ff 02";
  assert.equal(send(`c102c1 ${wattHours} 00 00 00000001 03 090401`), "c502c100000001");
  // Whoever holds protected blocks of two requests back can do this; why a custodian seals none (ADR 0061).
  assert.equal(send(`c102c1 ${ECHO_TEXT} 00 00 00000001 03 090401`), "c502c100000001");
  assert.equal(send("c103c1 01 00000002 03 0a0b0c"), "c503c10000000002", "the second block of the first");
  assert.deepEqual(meter.state.text, fromHex("010a0b0c"));
});

test("a long request over the limit is aborted", async () => {
  const { send } = await line({ maxLongRequestBytes: 10 });
  send(`c102c1 ${ECHO_TEXT} 00 00 00000001 04 09200102`);
  assert.equal(send(`c103c1 00 00000002 0a ${"00".repeat(10)}`), "c503c11100000002", "long-set-aborted");
  assert.equal(send(`c304c1 ${ECHO_REPEAT} 00 00000001 0b ${"00".repeat(11)}`), "c701c10f00", "long-action-aborted");
});

test("a long ACTION runs when its last block is there; its long result comes in blocks", async () => {
  const { send } = await line();
  assert.equal(send(`c304c1 ${ECHO_REPEAT} 00 00000001 03 091e01`), "c704c100000001");
  assert.match(send(`c306c1 01 00000002 1d ${"02".repeat(29)}`), /^c702c10000000001/);
  assert.match(send("c302c100000001"), /^c702c10100000002/);
  assert.equal(send("c302c100000002"), "c701c11000", "no-long-action-in-progress");
  assert.equal(send("c306c1 01 00000009 00"), "c701c11000");
});

test("several methods in one long ACTION each give their result", async () => {
  const { send } = await line({ pduSize: 500 });
  const methods = `02 ${ECHO_REPEAT} 2328 0000600109ff 02`;
  assert.equal(send(`c305c1 ${methods} 00 00000001 04 02090102`), "c704c100000001");
  assert.equal(send("c306c1 01 00000002 02 0f00"), "c703c1020001000902020201" + "00");
});

test("lists whose parts do not match in number are not decodable", async () => {
  const { send } = await line();
  assert.equal(send(`c104c1 01 ${ECHO_TEXT} 00 02 0901aa 0901bb`), "d80201");
  assert.equal(send(`c303c1 01 ${ECHO_REPEAT} 00`), "d80201");
});

test("a selection of a write is refused rather than ignored", async () => {
  const { meter, send } = await line();
  const before = meter.state.text;
  assert.equal(send(`c101c1 ${ECHO_TEXT} 01 01 00 0901aa`), "c501c10d");
  assert.deepEqual(meter.state.text, before);
});

test("a result that fits nowhere is an error, not a cut value", async () => {
  const meter = testMeter();
  const connection = meter.server.connect(CLIENTS.management, 1);
  const handle = (apdu: Uint8Array) => meter.server.handle(connection, apdu) ?? fromHex("");
  const config = {
    ...managementConfig(),
    cipheredContext: false,
    maxReceivePduSize: 60,
    conformance: ["get", "action"],
  } as const;
  await openTestSession(meter, CLIENTS.management, config, { exchange: async (apdu) => handle(apdu) });
  assert.equal(toHex(handle(fromHex(GET_PROFILE))), "c401c101fa");
  assert.equal(toHex(handle(fromHex(`c301c1 ${ECHO_REPEAT} 01 0920 ${"00".repeat(32)}`))), "c701c1fa00");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "@meterkeep/dlms";
import { echoServer } from "./hdlc.test.ts";
import { connectHdlcSerial } from "./hdlc-serial.ts";
import { serveHdlc } from "./hdlc-server.ts";
import { openSerial } from "./serial.ts";
import { pseudoTerminal } from "./testing/pseudo-terminal.ts";

const never = new AbortController().signal;

test("a meter on a device of the kernel is read over HDLC at 9600, 8N1", async (context) => {
  const line = await pseudoTerminal(context);
  assert.ok(line, "script(1) gives no pseudo-terminal: install bsdutils");
  serveHdlc(line.far, { server: echoServer(), logicalDevices: [1] });
  const reached = { path: line.path, clientAddress: 16, server: { logicalDevice: 1 } };
  await using connection = await connectHdlcSerial(reached);
  // Octets that a terminal would act on, had it not been set: interrupt, end, carriage return, stop.
  for (const apdu of ["c0010304", "c00d0a0d111304", `c0${"7e".repeat(300)}`])
    assert.equal(toHex(await connection.exchange(fromHex(apdu), never)), apdu);
});

test("what a device cannot be set to is refused by name", async (context) => {
  const line = await pseudoTerminal(context);
  assert.ok(line, "script(1) gives no pseudo-terminal: install bsdutils");
  const settings = { baudRate: 300, dataBits: 7, parity: "even", stopBits: 1 } as const;
  await assert.rejects(openSerial(line.path, settings), {
    code: "connection-failed",
    message: /stty could not set it/,
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSerial, parseSerialSettings } from "./serial.ts";

test("serial settings are read as people write them", () => {
  assert.deepEqual(parseSerialSettings("2400-8E1"), { baudRate: 2400, dataBits: 8, parity: "even", stopBits: 1 });
  assert.deepEqual(parseSerialSettings("115200 8n1"), { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 });
  assert.deepEqual(parseSerialSettings("300,7E2"), { baudRate: 300, dataBits: 7, parity: "even", stopBits: 2 });
  for (const bad of ["", "2400", "8N1", "2400-9N1", "2400-8X1"]) assert.equal(parseSerialSettings(bad), undefined, bad);
});

test("what is no serial device is refused by name", async () => {
  const settings = { baudRate: 2400, dataBits: 8, parity: "none", stopBits: 1 } as const;
  await assert.rejects(openSerial("/nowhere/tty", settings), { code: "connection-failed", message: /\/nowhere\/tty/ });
  await assert.rejects(openSerial(import.meta.filename, settings), {
    code: "connection-failed",
    message: /no serial device/,
  });
});

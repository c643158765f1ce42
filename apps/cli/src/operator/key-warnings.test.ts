import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "@meterkeep/dlms";
import { keyWarnings } from "./key-warnings.ts";

const good = fromHex("5D0E8B7741F2C39A06D4B81EC7532FA9");
const other = fromHex("B18F02D94C6E7A3350AD91FC27E6480B");

test("keys that nothing is known against are taken without a word", () => {
  assert.deepEqual(keyWarnings({ encryptionKey: good, authenticationKey: other }), []);
  assert.deepEqual(keyWarnings({ encryptionKey: good }), []);
});

test("a published or weak key is named by its purpose and reason, never by its octets", () => {
  const warnings = keyWarnings({
    encryptionKey: fromHex("3F1C9A7E5B2D48C6A1F0E3D29B8C7A65"),
    authenticationKey: new Uint8Array(16),
  });
  assert.match(warnings[0]!, /^the encryption key is published in the examples of Meterkeep: whoever knows it/);
  assert.match(warnings[1]!, /^the authentication key is all zeros/);
  assert.ok(!warnings.join("").toUpperCase().includes("3F1C9A"));
});

test("one key for two purposes is said", () => {
  assert.match(keyWarnings({ encryptionKey: good, authenticationKey: good }).join(""), /are the same/);
});

import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";
import { fromHex, toHex } from "@meterkeep/dlms";
import { SecretKey } from "../secret-key.ts";
import { nodeKeyWrap } from "./key-wrap.ts";

test("keys are wrapped as RFC 3394 prints it (4.1 and 4.6)", () => {
  const kek = fromHex("000102030405060708090a0b0c0d0e0f");
  const key = fromHex("00112233445566778899aabbccddeeff");
  const wrapped = nodeKeyWrap.wrap(createSecretKey(kek), key);
  assert.equal(toHex(wrapped), "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5");
  assert.equal(toHex(nodeKeyWrap.unwrap(createSecretKey(kek), wrapped)!), toHex(key));
  const kek256 = createSecretKey(fromHex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"));
  const key256 = fromHex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
  const expected = "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21";
  assert.equal(toHex(nodeKeyWrap.wrap(kek256, key256)), expected);
});

test("a changed or misplaced wrapped key is not unwrapped", () => {
  const kek = createSecretKey(new Uint8Array(16).fill(1));
  const wrapped = nodeKeyWrap.wrap(kek, new Uint8Array(16).fill(2));
  assert.equal(nodeKeyWrap.unwrap(createSecretKey(new Uint8Array(16).fill(3)), wrapped), undefined);
  assert.equal(nodeKeyWrap.unwrap(kek, wrapped.subarray(8)), undefined);
  assert.equal(nodeKeyWrap.unwrap(kek, wrapped.subarray(1)), undefined);
  wrapped[5]! ^= 1;
  assert.equal(nodeKeyWrap.unwrap(kek, wrapped), undefined);
});

test("a secret key prints nothing of itself and is gone after its end", () => {
  const octets = new Uint8Array(16).fill(0xab);
  const key = SecretKey.take(octets);
  for (const text of [String(key), inspect(key), JSON.stringify({ key })]) assert.doesNotMatch(text, /ab|171/i);
  key[Symbol.dispose]();
  assert.deepEqual(octets, new Uint8Array(16));
  assert.throws(() => key.lend(() => 0));
});

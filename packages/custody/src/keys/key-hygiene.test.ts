import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "@meterkeep/dlms";
import { SecretKey } from "@meterkeep/dlms-node";
import { PURPOSE, SECRET } from "../store/records.ts";
import { weakness } from "./key-hygiene.ts";

const why = (octets: Uint8Array, purpose: number = PURPOSE.GUEK) => weakness(SecretKey.copy(octets), purpose);
const text = (words: string) => new TextEncoder().encode(words);

test("keys of zeros, published ones, patterns and printable text are named for what they are; others are not, and none is told", () => {
  const weak: readonly (readonly [hex: string, why: RegExp])[] = [
    ["00".repeat(16), /all zeros/],
    ["00".repeat(32), /all zeros/],
    ["a5".repeat(16), /one octet repeated/],
    ["000102030405060708090a0b0c0d0e0f", /example key of the Green Book/],
    ["d0d1d2d3d4d5d6d7d8d9dadbdcdddedf", /example authentication key of the Green Book/],
    ["2b7e151628aed2a6abf7158809cf4f3c", /example key of FIPS 197/],
    ["feffe9928665731c6d6a8f9467308308", /example key of the GCM specification/],
    ["00112233445566778899aabbccddeeff", /whole country/],
    ["f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", /simple sequence/],
    ["0f0e0d0c0b0a09080706050403020100", /simple sequence/],
    ["1b9c".repeat(8), /short pattern repeated/],
    ["1b9ce07f".repeat(4), /short pattern repeated/],
    ["1b9ce07f5503d2aa".repeat(2), /short pattern repeated/],
    [Buffer.from("AnthraciteMeters").toString("hex"), /printable text/],
    [Buffer.from("0123456789ABCDEF").toString("hex"), /printable text/],
  ];
  for (const [hex, named] of weak) {
    const found = why(fromHex(hex)) ?? "";
    assert.match(found, named, hex);
    assert.ok(!found.toLowerCase().includes(hex));
  }
  assert.equal(why(fromHex("5ad84121d9d20b364b7a11f3c1b5827f")), undefined);
});

test("a password may be text, and is weak where it is short, one character or a pattern", () => {
  const password = (words: string) => why(text(words), SECRET.LLS);
  assert.equal(password("x7-Kq_9vTz2w"), undefined);
  assert.match(password("x7-Kq_9") ?? "", /fewer than 8/);
  assert.match(password("aaaaaaaaaaaa") ?? "", /one octet repeated/);
  assert.match(password("12345678") ?? "", /simple sequence/);
  assert.match(password("abcdabcd") ?? "", /short pattern repeated/);
});

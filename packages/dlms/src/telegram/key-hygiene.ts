import { equalBytes, fromHex } from "../bytes.ts";

/** Keys that anybody knows: from books, examples, defaults of libraries and factories. */
const PUBLISHED_KEYS: readonly (readonly [hex: string, from: string])[] = [
  ["000102030405060708090a0b0c0d0e0f", "the example key of the Green Book and the default of open libraries"],
  ["d0d1d2d3d4d5d6d7d8d9dadbdcdddedf", "the example authentication key of the Green Book"],
  ["c0c1c2c3c4c5c6c7c8c9cacbcccdcecf", "a factory authentication key that was never changed"],
  ["101112131415161718191a1b1c1d1e1f", "a published vendor default"],
  ["3f1c9a7e5b2d48c6a1f0e3d29b8c7a65", "published in the examples of Meterkeep"],
  ["9e4b2c7d10f5a8634cb7e1d29f3a5860", "published in the examples of Meterkeep"],
  ["2b7e151628aed2a6abf7158809cf4f3c", "the example key of FIPS 197 and of NIST SP 800-38A"],
  ["feffe9928665731c6d6a8f9467308308", "the example key of the GCM specification"],
  ["00112233445566778899aabbccddeeff", "one key for a whole country, and an example of FIPS 197"],
];

/**
 * Why a key protects nothing, as a sentence without a subject; undefined when nothing is known against it. What is
 * looked at are values that have been found in meters in service.
 */
export function weaknessOf(key: Uint8Array): string | undefined {
  if (key.length === 0) return undefined;
  const published = PUBLISHED_KEYS.find(([hex]) => equalBytes(fromHex(hex), key));
  if (published !== undefined) return `is ${published[1]}`;
  if (key.every((octet) => octet === 0)) return "is all zeros";
  if (key.every((octet) => octet === key[0])) return "is one octet repeated";
  const step = ((key[1] ?? 0) - (key[0] ?? 0)) & 0xff;
  if (key.every((octet, at) => at === 0 || ((octet - (key[at - 1] as number)) & 0xff) === step))
    return "is a simple sequence";
  if (key.every((octet) => octet >= 0x20 && octet < 0x7f)) return "is printable text, which is far from random";
  return undefined;
}

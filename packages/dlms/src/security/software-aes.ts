import { concatBytes, NO_BYTES } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import { equalInConstantTime } from "./constant-time.ts";
import type { Ciphers } from "./ports.ts";
import { TAG_BYTES } from "./suites.ts";
import { additionalDataOctets, vectorOctets } from "./vector.ts";

/** An expanded AES key of `softwareKey`. */
export interface SoftwareKey {
  readonly rounds: number;
  /** Round keys, 16 octets each. */
  readonly schedule: Uint8Array;
  /** AES of the zero block: the hash key of GCM. */
  readonly hashKey: Uint8Array;
}

/**
 * Expands an AES key of 16 or 32 octets for `softwareCiphers`.
 *
 * For decoding telegrams where no platform cipher can be called synchronously (a browser). It is neither fast nor free
 * of timing differences: custody uses the platform's ciphers.
 *
 * @throws DlmsError `wrong-length`
 */
export function softwareKey(octets: Uint8Array): SoftwareKey {
  if (octets.length !== 16 && octets.length !== 32)
    throw new DlmsError("wrong-length", `an AES key has 16 or 32 octets, not ${octets.length}`);
  const words = octets.length / 4;
  const rounds = words + 6;
  const schedule = new Uint8Array(16 * (rounds + 1));
  schedule.set(octets);
  const word = new Uint8Array(4);
  let constant = 1;
  for (let index = words; index < 4 * (rounds + 1); index += 1) {
    word.set(schedule.subarray(4 * (index - 1), 4 * index));
    if (index % words === 0) {
      const first = word[0]!;
      word.set([SBOX[word[1]!]! ^ constant, SBOX[word[2]!]!, SBOX[word[3]!]!, SBOX[first]!]);
      constant = double(constant);
    } else if (words > 6 && index % words === 4) for (let at = 0; at < 4; at += 1) word[at] = SBOX[word[at]!]!;
    for (let at = 0; at < 4; at += 1) schedule[4 * index + at] = schedule[4 * (index - words) + at]! ^ word[at]!;
  }
  const key = { rounds, schedule, hashKey: new Uint8Array(16) };
  encryptBlock(key, key.hashKey);
  return key;
}

/** AES-GCM in TypeScript (NIST SP 800-38D); see `softwareKey` for what it is for. */
export const softwareGcm = {
  seal(key: SoftwareKey, iv: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array {
    const cipher = counterMode(key, iv, plain);
    return concatBytes(cipher, tagOf(key, iv, aad, cipher));
  },
  open(key: SoftwareKey, iv: Uint8Array, aad: Uint8Array, cipher: Uint8Array, tag: Uint8Array): Uint8Array | undefined {
    if (tag.length !== TAG_BYTES || !equalInConstantTime(tagOf(key, iv, aad, cipher), tag)) return undefined;
    return cipher.length === 0 ? NO_BYTES : counterMode(key, iv, cipher);
  },
  crypt: counterMode,
} as const;

/** `softwareGcm` as the ciphers of an association. */
export const softwareCiphers: Ciphers<SoftwareKey> = {
  seal: (key, vector, data, plain) => softwareGcm.seal(key, vectorOctets(vector), additionalDataOctets(data), plain),
  open: (key, vector, data, cipher, tag) =>
    softwareGcm.open(key, vectorOctets(vector), additionalDataOctets(data), cipher, tag),
  crypt: (key, vector, octets) => softwareGcm.crypt(key, vectorOctets(vector), octets),
};

/** Encrypts block for block, the last one filled with zeros: no mode for messages, but some meters' answer to a challenge. */
export function encryptBlocks(key: SoftwareKey, octets: Uint8Array): Uint8Array {
  const blocks = new Uint8Array(Math.ceil(octets.length / 16) * 16);
  blocks.set(octets);
  for (let at = 0; at < blocks.length; at += 16) encryptBlock(key, blocks.subarray(at, at + 16));
  return blocks;
}

const SBOX = substitutionBox();

/** The S-box from its definition: the inverse in GF(2^8), then an affine map (FIPS 197 clause 5.1.1). */
function substitutionBox(): Uint8Array {
  const box = new Uint8Array(256);
  let power = 1;
  let inverse = 1;
  do {
    // `power` runs through the powers of 3, `inverse` through those of its inverse.
    power ^= double(power);
    inverse ^= inverse << 1;
    inverse ^= inverse << 2;
    inverse ^= inverse << 4;
    inverse &= 0xff;
    if ((inverse & 0x80) !== 0) inverse ^= 0x09;
    const rotate = (by: number): number => ((inverse << by) | (inverse >>> (8 - by))) & 0xff;
    box[power] = inverse ^ rotate(1) ^ rotate(2) ^ rotate(3) ^ rotate(4) ^ 0x63;
  } while (power !== 1);
  box[0] = 0x63;
  return box;
}

/** Multiplies by x in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function double(value: number): number {
  return ((value << 1) ^ ((value & 0x80) !== 0 ? 0x11b : 0)) & 0xff;
}

/** Encrypts 16 octets in place (FIPS 197 clause 5.1). */
function encryptBlock(key: SoftwareKey, state: Uint8Array): void {
  addRoundKey(key, 0, state);
  const shifted = new Uint8Array(16);
  for (let round = 1; round <= key.rounds; round += 1) {
    for (let at = 0; at < 16; at += 1) shifted[at] = SBOX[state[(at + 4 * (at % 4)) % 16]!]!;
    if (round === key.rounds) state.set(shifted);
    else mixColumns(shifted, state);
    addRoundKey(key, round, state);
  }
}

function addRoundKey(key: SoftwareKey, round: number, state: Uint8Array): void {
  for (let at = 0; at < 16; at += 1) state[at]! ^= key.schedule[16 * round + at]!;
}

function mixColumns(from: Uint8Array, to: Uint8Array): void {
  for (let column = 0; column < 16; column += 4) {
    const all = from[column]! ^ from[column + 1]! ^ from[column + 2]! ^ from[column + 3]!;
    for (let row = 0; row < 4; row += 1) {
      const value = from[column + row]!;
      to[column + row] = value ^ all ^ double(value ^ from[column + ((row + 1) % 4)]!);
    }
  }
}

/** The counter mode of GCM: block 1 belongs to the tag, text starts at block 2. */
function counterMode(key: SoftwareKey, iv: Uint8Array, octets: Uint8Array): Uint8Array {
  const out = new Uint8Array(octets.length);
  for (let at = 0, counter = 2; at < octets.length; at += 16, counter += 1) {
    const block = counterBlock(key, iv, counter);
    const end = Math.min(16, octets.length - at);
    for (let index = 0; index < end; index += 1) out[at + index] = octets[at + index]! ^ block[index]!;
  }
  return out;
}

function counterBlock(key: SoftwareKey, iv: Uint8Array, counter: number): Uint8Array {
  const block = new Uint8Array(16);
  block.set(iv);
  new DataView(block.buffer).setUint32(12, counter);
  encryptBlock(key, block);
  return block;
}

function tagOf(key: SoftwareKey, iv: Uint8Array, aad: Uint8Array, cipher: Uint8Array): Uint8Array {
  const hash = new Uint32Array(4);
  const hashKey = new DataView(key.hashKey.buffer, key.hashKey.byteOffset);
  const h = [hashKey.getUint32(0), hashKey.getUint32(4), hashKey.getUint32(8), hashKey.getUint32(12)] as const;
  absorb(hash, h, aad);
  absorb(hash, h, cipher);
  const lengths = new DataView(new ArrayBuffer(16));
  lengths.setBigUint64(0, BigInt(aad.length) * 8n);
  lengths.setBigUint64(8, BigInt(cipher.length) * 8n);
  absorb(hash, h, new Uint8Array(lengths.buffer));
  const tag = counterBlock(key, iv, 1);
  for (let at = 0; at < TAG_BYTES; at += 1) tag[at]! ^= hash[at >> 2]! >>> (24 - 8 * (at % 4));
  return tag.subarray(0, TAG_BYTES);
}

type Words = readonly [number, number, number, number];

/** GHASH of octets, the last block filled with zeros (SP 800-38D clause 6.4). */
function absorb(hash: Uint32Array, h: Words, octets: Uint8Array): void {
  for (let at = 0; at < octets.length; at += 16) {
    const end = Math.min(16, octets.length - at);
    for (let index = 0; index < end; index += 1) hash[index >> 2]! ^= octets[at + index]! << (24 - 8 * (index % 4));
    multiply(hash, h);
  }
}

/** Multiplies in GF(2^128) with the bit order of GCM (SP 800-38D clause 6.3). */
function multiply(x: Uint32Array, h: Words): void {
  let [a, b, c, d] = h;
  let [p, q, r, s] = [0, 0, 0, 0];
  for (let bit = 0; bit < 128; bit += 1) {
    if (((x[bit >> 5]! >>> (31 - (bit & 31))) & 1) === 1) {
      p ^= a;
      q ^= b;
      r ^= c;
      s ^= d;
    }
    const odd = d & 1;
    d = (d >>> 1) | (c << 31);
    c = (c >>> 1) | (b << 31);
    b = (b >>> 1) | (a << 31);
    a = (a >>> 1) ^ (odd === 1 ? 0xe1000000 : 0);
  }
  x.set([p, q, r, s]);
}

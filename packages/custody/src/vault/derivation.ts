import { SecretKey } from "@meterkeep/dlms-node";

/** What a key is derived from beside its master. */
export interface DerivationInput {
  /** Label, a zero octet, context, the length in bits: what the counter is put before. */
  readonly fixed: Uint8Array;
  /** Octets of the key. */
  readonly bytes: number;
}

/** Octets of a master: what HMAC-SHA-256 takes whole, and what a token keeps. */
export const MASTER_BYTES = 32;
/** Octets that one MAC gives. */
const PRF_BYTES = 32;
const MOST_KEY_BYTES = 8 * PRF_BYTES;

/**
 * The texts whose MACs under a master are a key: SP 800-108r1, 4.1, counter mode with HMAC-SHA-256 and a counter of 32
 * bits before the fixed input. A key of up to 32 octets is one MAC.
 */
export function counterTexts({ fixed, bytes }: DerivationInput): Uint8Array[] {
  if (bytes < 1 || bytes > MOST_KEY_BYTES) throw new RangeError(`a derived key has 1 to ${MOST_KEY_BYTES} octets`);
  return Array.from({ length: Math.ceil(bytes / PRF_BYTES) }, (_, at) => {
    const text = Buffer.alloc(4 + fixed.length);
    text.writeUInt32BE(at + 1, 0);
    text.set(fixed, 4);
    return text;
  });
}

/** The keys that MACs come to, taken in the order of their inputs; the MACs are zeroed. */
export function derivedKeys(inputs: readonly DerivationInput[], macs: readonly Uint8Array[]): SecretKey[] {
  let at = 0;
  const keys = inputs.map(({ bytes }) => {
    const blocks = Buffer.concat(macs.slice(at, at + Math.ceil(bytes / PRF_BYTES)));
    at += Math.ceil(bytes / PRF_BYTES);
    const key = SecretKey.copy(blocks.subarray(0, bytes));
    blocks.fill(0);
    return key;
  });
  for (const mac of macs) mac.fill(0);
  return keys;
}

/** The fixed input of SP 800-108r1: label, a zero octet, context, length in bits. */
export function fixedInput(label: string, context: Uint8Array, bytes: number): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(8 * bytes, 0);
  return Buffer.concat([Buffer.from(label, "ascii"), Buffer.alloc(1), context, length]);
}

import type { Codec } from "../codec/codec.ts";
import { constant } from "../codec/enumeration.ts";
import { map } from "../codec/mapped.ts";
import { fixedBytes, unsigned32 } from "../codec/scalars.ts";
import { struct } from "../codec/struct.ts";
import { DlmsError } from "../errors.ts";

/** The bits of the conformance block, counted from the first one sent (Green Book 9.4.6.1). */
export const CONFORMANCE_BITS = {
  "reserved-zero": 0,
  "general-protection": 1,
  "general-block-transfer": 2,
  read: 3,
  write: 4,
  "unconfirmed-write": 5,
  "delta-value-encoding": 6,
  "reserved-seven": 7,
  "attribute0-supported-with-set": 8,
  "priority-mgmt-supported": 9,
  "attribute0-supported-with-get": 10,
  "block-transfer-with-get-or-read": 11,
  "block-transfer-with-set-or-write": 12,
  "block-transfer-with-action": 13,
  "multiple-references": 14,
  "information-report": 15,
  "data-notification": 16,
  access: 17,
  "parameterized-access": 18,
  get: 19,
  set: 20,
  "selective-access": 21,
  "event-notification": 22,
  action: 23,
} as const;

/** A service or option that client and server can agree on. */
export type ConformanceBit = keyof typeof CONFORMANCE_BITS;

/** The agreed services, in the order of the standard. */
export type Conformance = readonly ConformanceBit[];

const NAMES = Object.keys(CONFORMANCE_BITS) as ConformanceBit[];

/** The three octets of a conformance block. */
export function conformanceOctets(conformance: Conformance): Uint8Array {
  const octets = new Uint8Array(3);
  for (const name of conformance) {
    const bit = CONFORMANCE_BITS[name];
    if (bit === undefined) throw new DlmsError("unknown-value", `"${name}" is no conformance bit`);
    octets[bit >> 3] = (octets[bit >> 3] as number) | (0x80 >> (bit & 7));
  }
  return octets;
}

/** Reads three octets of conformance. */
export function conformanceOf(octets: Uint8Array): Conformance {
  return NAMES.filter((_, bit) => ((octets[bit >> 3] as number) & (0x80 >> (bit & 7))) !== 0);
}

/** What both sides can do. */
export function intersectConformance(a: Conformance, b: Conformance): Conformance {
  return NAMES.filter((name) => a.includes(name) && b.includes(name));
}

// Conformance ::= [APPLICATION 31] IMPLICIT BIT STRING (SIZE (24)): the one BER field of the A-XDR initiate APDUs,
// tag 5F 1F, length 4, no unused bits.
const HEADER = 0x5f1f0400;
const header = constant(HEADER, unsigned32);

/** The conformance block with its BER header, as it stands in initiate APDUs. */
export const conformance: Codec<Conformance> = map("conformance", struct({ header, bits: fixedBytes(3) }), {
  decode: ({ bits }) => conformanceOf(bits),
  encode: (value) => ({ header: HEADER, bits: conformanceOctets(value) }) as const,
});

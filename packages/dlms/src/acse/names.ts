import type { Codec, Infer } from "../codec/codec.ts";
import { constant, openEnumeration } from "../codec/enumeration.ts";
import { map } from "../codec/mapped.ts";
import { unsigned16, unsigned32 } from "../codec/scalars.ts";
import { struct } from "../codec/struct.ts";

// joint-iso-ccitt(2) country(16) country-name(756) identified-organization(5) DLMS-UA(8): 60 85 74 05 08, then 1 for
// application contexts and 2 for mechanisms, then the number (Green Book 9.4.2.2).

const ARC = 0x60857405;
const CONTEXTS_ARC = 0x0801;
const MECHANISMS_ARC = 0x0802;

/** Application contexts: how objects are named, and whether APDUs may be ciphered. */
export const APPLICATION_CONTEXTS = {
  "logical-name": 1,
  "short-name": 2,
  "logical-name-ciphered": 3,
  "short-name-ciphered": 4,
} as const;

/** Authentication mechanisms. */
export const MECHANISMS = {
  lowest: 0,
  low: 1,
  high: 2,
  "high-md5": 3,
  "high-sha1": 4,
  "high-gmac": 5,
  "high-sha256": 6,
  "high-ecdsa": 7,
} as const;

/** The content of an OBJECT IDENTIFIER under one arc: its last number, named where the standard names it. */
function identifier<T>(name: string, arc: number, last: Codec<T>): Codec<T> {
  const whole = struct({ root: constant(ARC, unsigned32), arc: constant(arc, unsigned16), last });
  type Whole = Infer<typeof whole>;
  return map<Whole, T>(name, whole, {
    decode: (value) => (value as { readonly last: T }).last,
    encode: (value) => ({ root: ARC, arc, last: value }) as Whole,
  });
}

export const applicationContextName = identifier(
  "application context name",
  CONTEXTS_ARC,
  openEnumeration(APPLICATION_CONTEXTS),
);
/** A name of `APPLICATION_CONTEXTS`, or the number of one that is not known. */
export type ApplicationContextName = Infer<typeof applicationContextName>;

export const mechanismName = identifier("mechanism name", MECHANISMS_ARC, openEnumeration(MECHANISMS));
/** A name of `MECHANISMS`, or the number of one that is not known. */
export type MechanismName = Infer<typeof mechanismName>;

import { any, decodeWithOctets, map, oneOf } from "./element.ts";
import { packedSequenceOf } from "./packed.ts";
import {
  bitStringOctets,
  boolean,
  enumerated,
  generalizedTime,
  ia5String,
  namedBits,
  nothing,
  objectIdentifier,
  octetString,
  octetStringOf,
  positiveInteger,
  printableString,
  smallInteger,
  time,
  utf8String,
} from "./primitives.ts";
import { explicit, implicit, optional, sequence, sequenceOf, setOfOne, withDefault } from "./sequence.ts";

/**
 * The combinators certificates are declared with: ASN.1 in DER (ITU-T X.690), strict both ways. What is not DER is
 * refused with a `DecodeError` that names offset and field.
 *
 * ```ts
 * const validity = asn1.sequence("Validity", { notBefore: asn1.time, notAfter: asn1.time });
 * ```
 */
export const asn1 = {
  any,
  bitStringOctets,
  boolean,
  decodeWithOctets,
  enumerated,
  explicit,
  generalizedTime,
  ia5String,
  implicit,
  map,
  namedBits,
  nothing,
  objectIdentifier,
  octetString,
  octetStringOf,
  oneOf,
  optional,
  packedSequenceOf,
  positiveInteger,
  printableString,
  sequence,
  sequenceOf,
  setOfOne,
  smallInteger,
  time,
  utf8String,
  withDefault,
} as const;

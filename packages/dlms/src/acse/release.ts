import type { Infer } from "../codec/codec.ts";
import { openEnumeration } from "../codec/enumeration.ts";
import { octetString, optional, sequence } from "./ber.ts";

/** RLRQ-apdu ::= [APPLICATION 2] IMPLICIT SEQUENCE { reason OPTIONAL, user-information OPTIONAL } */
export const rlrq = sequence({
  reason: optional(0x80, openEnumeration({ normal: 0, urgent: 1, "user-defined": 30 })),
  /** An InitiateRequest, ciphered where the association is: it proves who releases. */
  userInformation: optional(0xbe, octetString),
});
export type Rlrq = Infer<typeof rlrq>;

/**
 * RLRE-apdu ::= [APPLICATION 3] IMPLICIT SEQUENCE { reason OPTIONAL, user-information OPTIONAL }
 *
 * Read with repaired lengths: two widely used servers count user-information too short in the two outer lengths.
 */
export const rlre = sequence(
  {
    reason: optional(0x80, openEnumeration({ normal: 0, "not-finished": 1, "user-defined": 30 })),
    userInformation: optional(0xbe, octetString),
  },
  { lengths: "repaired" },
);
export type Rlre = Infer<typeof rlre>;

import { c } from "../codec/c.ts";
import type { Infer } from "../codec/codec.ts";
import { securityControlCodec } from "../security/control.ts";
import { generalHeaderFields } from "../security/general-header.ts";
import { keyInfo } from "../security/key-info.ts";

/**
 * What stands in every ciphered APDU: security control, invocation counter, and the text with its tag, as
 * `securityControl` says. Still sealed: `unprotect` opens it.
 */
export const securedText = c.struct({
  securityControl: securityControlCodec,
  invocationCounter: c.unsigned32,
  /** Ciphertext or plain text, then 12 octets of tag when authenticated. */
  text: c.restBytes,
});
export type SecuredText = Infer<typeof securedText>;

/** glo- and ded- APDUs ::= OCTET STRING */
export const serviceCiphered = c.lengthPrefixed(securedText);

/** General-Glo-Ciphering and General-Ded-Ciphering ::= SEQUENCE { system-title, ciphered-content } */
export const generalGloCiphering = c.struct({
  /** The originator's; empty from meters whose title is known by other means. */
  systemTitle: c.bytes({ max: 8 }),
  content: serviceCiphered,
});
export type GeneralGloCiphering = Infer<typeof generalGloCiphering>;

/** General-Ciphering ::= SEQUENCE { transaction-id, …, key-info OPTIONAL, ciphered-content } */
export const generalCiphering = c.struct({
  ...generalHeaderFields,
  keyInfo: c.optional(keyInfo),
  content: serviceCiphered,
});
export type GeneralCiphering = Infer<typeof generalCiphering>;

/** General-Signing ::= SEQUENCE { transaction-id, …, content, signature } */
export const generalSigning = c.struct({ ...generalHeaderFields, content: c.bytes(), signature: c.bytes() });
export type GeneralSigning = Infer<typeof generalSigning>;

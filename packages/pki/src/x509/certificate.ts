import { decode, encode, type Infer } from "@meterkeep/dlms";
import { asn1 } from "../asn1/asn1.ts";
import { PkiError } from "../errors.ts";
import { extensions } from "./extensions.ts";
import { name } from "./name.ts";
import { publicKey, signatureAlgorithm } from "./public-key.ts";

/** Serial numbers take at most 20 octets (RFC 5280 clause 4.1.2.2). */
export const MAX_SERIAL_BYTES = 20;
const V3 = 2;

/** Version 3; others have no extensions and so say nothing about what a key is for. */
const version3 = asn1.map("version", asn1.smallInteger, {
  decode(value) {
    if (value !== V3) throw new RangeError(`a certificate of version ${value + 1}`);
    return "v3" as const;
  },
  encode: () => V3,
});

/** "99991231235959Z": the certificate has no well-defined end (RFC 5280 clause 4.1.2.5), as meters' have. */
export const NO_END = new Date("9999-12-31T23:59:59Z");

/** TBSCertificate (RFC 5280 clause 4.1): what is signed. */
export const toBeSigned = asn1.sequence("toBeSigned", {
  version: asn1.explicit(0, version3),
  serial: asn1.positiveInteger(MAX_SERIAL_BYTES),
  signatureAlgorithm,
  issuer: name,
  validity: asn1.sequence("validity", { notBefore: asn1.time, notAfter: asn1.time }),
  subject: name,
  publicKey,
  extensions: asn1.explicit(3, extensions),
});
export type ToBeSigned = Infer<typeof toBeSigned>;

const signed = asn1.sequence("certificate", {
  toBeSigned: asn1.any,
  signatureAlgorithm,
  signature: asn1.bitStringOctets,
});

/** A certificate, understood: its fields, and the octets that were signed. */
export interface Certificate extends ToBeSigned {
  /** The whole certificate in DER. */
  readonly octets: Uint8Array;
  /** TBSCertificate as it was signed. */
  readonly toBeSigned: Uint8Array;
  /** Ecdsa-Sig-Value in DER; what signs may differ from what the fields claim, which verifying finds out. */
  readonly signature: Uint8Array;
}

/**
 * Reads a certificate: X.509 version 3 in DER, EC keys on P-256 or P-384, ECDSA. Nothing is verified.
 *
 * @throws DecodeError with offset and field, PkiError `certificate-inconsistent`
 */
export function decodeCertificate(octets: Uint8Array): Certificate {
  const outer = decode(signed, octets);
  const inner = decode(toBeSigned, outer.toBeSigned);
  if (inner.signatureAlgorithm !== outer.signatureAlgorithm)
    throw new PkiError("certificate-inconsistent", "the signature algorithms inside and outside what is signed differ");
  return { ...inner, octets, toBeSigned: outer.toBeSigned, signature: outer.signature };
}

/** Puts a signature around what was signed. */
export function encodeCertificate(
  signedOctets: Uint8Array,
  { signatureAlgorithm: algorithm, signature }: Pick<Certificate, "signatureAlgorithm" | "signature">,
): Uint8Array {
  return encode(signed, { toBeSigned: signedOctets, signatureAlgorithm: algorithm, signature });
}

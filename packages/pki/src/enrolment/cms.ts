import { decode, encode } from "@meterkeep/dlms";
import { asn1 } from "../asn1/asn1.ts";
import { PkiError } from "../errors.ts";
import { OID } from "../x509/identifiers.ts";

const SET = 0x31;
const CERTIFICATES = 0xa0;
const LISTS = 0xa1;
const VERSION_1 = 1;
/** Authorities of a scheme with some hundred utilities. */
const MAX_CERTIFICATES = 1024;

/** SignedData (RFC 5652 clause 5.1) without signers and content: a way to carry certificates. */
const certsOnly = asn1.sequence("signedData", {
  version: asn1.smallInteger,
  digestAlgorithms: asn1.sequenceOf(asn1.any, { max: 0 }, SET),
  content: asn1.sequence("encapContentInfo", { type: asn1.objectIdentifier }),
  certificates: asn1.optional(asn1.sequenceOf(asn1.any, { max: MAX_CERTIFICATES }, CERTIFICATES)),
  lists: asn1.optional(asn1.sequenceOf(asn1.any, { max: 16 }, LISTS)),
  signers: asn1.sequenceOf(asn1.any, { max: 0 }, SET),
});

const contentInfo = asn1.sequence("contentInfo", {
  type: asn1.objectIdentifier,
  content: asn1.explicit(0, certsOnly),
});

/** Carries certificates as EST wants them: "certs-only" CMS (RFC 7030 clause 4.1.3, RFC 8551 clause 3.8). */
export function encodeCertsOnly(certificates: readonly Uint8Array[]): Uint8Array {
  return encode(contentInfo, {
    type: OID.signedData,
    content: {
      version: VERSION_1,
      digestAlgorithms: [],
      content: { type: OID.data },
      // DER sorts what is in a set.
      certificates: certificates.toSorted((one, other) => Buffer.compare(one, other)),
      signers: [],
    },
  });
}

/**
 * The certificates in "certs-only" CMS.
 *
 * @throws DecodeError; PkiError `request-refused` for another content type
 */
export function decodeCertsOnly(octets: Uint8Array): readonly Uint8Array[] {
  const { type, content } = decode(contentInfo, octets);
  if (type !== OID.signedData || content.content.type !== OID.data || content.version !== VERSION_1)
    throw new PkiError("request-refused", `CMS of type ${type} is not what carries certificates`);
  return content.certificates ?? [];
}

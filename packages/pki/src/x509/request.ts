import { decode, encode, type Infer } from "@meterkeep/dlms";
import { asn1 } from "../asn1/asn1.ts";
import { PkiError } from "../errors.ts";
import { type Extension, extensions } from "./extensions.ts";
import { OID } from "./identifiers.ts";
import { type Name, name, textAttribute } from "./name.ts";
import { type PublicKey, publicKey, SIGNATURE_ALGORITHM_OF, signatureAlgorithm } from "./public-key.ts";
import { type AuthorityKey, isSignedBy, type Signer } from "./signature.ts";

const VERSION_1 = 0;
const SET_OF_ATTRIBUTES = 0xa0;

/** An attribute of a request with its only value; what it is, its type says. */
const attribute = asn1.sequence("attribute", { type: asn1.objectIdentifier, value: asn1.setOfOne(asn1.any) });

/** CertificationRequestInfo (RFC 2986): what the requester signs with the key it asks a certificate for. */
const requestInfo = asn1.sequence("requestInfo", {
  version: asn1.smallInteger,
  subject: name,
  publicKey,
  attributes: asn1.sequenceOf(attribute, { max: 16 }, SET_OF_ATTRIBUTES),
});

const signed = asn1.sequence("request", {
  info: asn1.any,
  signatureAlgorithm,
  signature: asn1.bitStringOctets,
});

/** A request for a certificate (PKCS#10), whose signature proves that the requester holds the private key. */
export interface CertificateRequest {
  readonly subject: Name;
  readonly publicKey: PublicKey;
  /** What the requester would like; an issuer follows its profile. */
  readonly extensions: readonly Extension[];
}

/**
 * Reads a request and verifies its proof of possession.
 *
 * @throws DecodeError for what is no PKCS#10 request in DER with an EC key; PkiError `request-refused` when its signature does not verify
 */
export function openRequest(octets: Uint8Array): CertificateRequest {
  const outer = decode(signed, octets);
  const info = decode(requestInfo, outer.info);
  if (info.version !== VERSION_1)
    throw new PkiError("request-refused", `a request of version ${info.version + 1}, not 1`);
  if (outer.signatureAlgorithm !== SIGNATURE_ALGORITHM_OF[info.publicKey.curve])
    throw new PkiError("request-refused", `${outer.signatureAlgorithm} does not go with ${info.publicKey.curve}`);
  if (!isSignedBy(info.publicKey, outer.signatureAlgorithm, outer.info, outer.signature))
    throw new PkiError("request-refused", "the request is not signed with the key it is for");
  const wanted = info.attributes.find(({ type }) => type === OID.extensionRequest);
  return {
    subject: info.subject,
    publicKey: info.publicKey,
    extensions: wanted ? decode(extensions, wanted.value) : [],
  };
}

/** Makes a request: what a meter answers `generate_certificate_request` with, and what parts of the platform send. */
export function makeRequest(signer: Signer, subject: Name, wanted: readonly Extension[] = []): Uint8Array {
  const info = requestInfoOf(signer.publicKey, subject, wanted);
  return requestOf(signer.publicKey, info, signer.sign(info));
}

/** A request for an authority, named by its common name, by a key that may take its time. */
export async function makeRequestWith(key: AuthorityKey, commonName: string): Promise<Uint8Array> {
  const info = requestInfoOf(key.publicKey, [textAttribute(OID.commonName, commonName)], []);
  return requestOf(key.publicKey, info, await key.sign(info));
}

function requestInfoOf(key: PublicKey, subject: Name, wanted: readonly Extension[]): Uint8Array {
  return encode(requestInfo, {
    version: VERSION_1,
    subject,
    publicKey: key,
    attributes: wanted.length === 0 ? [] : [{ type: OID.extensionRequest, value: encode(extensions, wanted) }],
  } satisfies Infer<typeof requestInfo>);
}

function requestOf(key: PublicKey, info: Uint8Array, signature: Uint8Array): Uint8Array {
  return encode(signed, { info, signatureAlgorithm: SIGNATURE_ALGORITHM_OF[key.curve], signature });
}

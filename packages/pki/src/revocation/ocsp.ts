import { createHash } from "node:crypto";
import { decode, encode, equalBytes, type Infer } from "@meterkeep/dlms";
import { asn1 } from "../asn1/asn1.ts";
import type { Issuer } from "../authority/issue.ts";
import { PkiError } from "../errors.ts";
import { type Certificate, MAX_SERIAL_BYTES } from "../x509/certificate.ts";
import { EXTENSIONS, extensions, extensionValue } from "../x509/extensions.ts";
import { OID } from "../x509/identifiers.ts";
import { keyIdentifier } from "../x509/key-identifier.ts";
import { name } from "../x509/name.ts";
import { SIGNATURE_ALGORITHM_OF, signatureAlgorithm } from "../x509/public-key.ts";
import { isSignedBy } from "../x509/signature.ts";
import { type RevocationReason, revocationReason } from "./reasons.ts";

const SUCCESSFUL = 0;
/** Certificates a request may ask about; each is looked up. */
const MAX_ASKED = 32;

/** The hashes that requests name issuers with: SHA-1 is what clients send, and is no more than a name here. */
const HASHES = [
  { id: OID.sha1, node: "sha1" },
  { id: OID.sha256, node: "sha256" },
] as const;

const hashAlgorithm = asn1.sequence("hashAlgorithm", {
  id: asn1.objectIdentifier,
  parameters: asn1.optional(asn1.any),
});

/** CertID (RFC 6960 clause 4.1.1): an issuer by the hashes of its name and key, and a serial number. */
const certId = asn1.sequence("certID", {
  hashAlgorithm,
  issuerNameHash: asn1.octetString,
  issuerKeyHash: asn1.octetString,
  serial: asn1.positiveInteger(MAX_SERIAL_BYTES),
});
type CertId = Infer<typeof certId>;

const request = asn1.sequence("request", {
  certId,
  extensions: asn1.optional(asn1.explicit(0, extensions)),
});
const ocspRequest = asn1.sequence("OCSPRequest", {
  toBeSigned: asn1.sequence("TBSRequest", {
    version: asn1.withDefault(asn1.explicit(0, asn1.smallInteger), 0),
    requestor: asn1.optional(asn1.explicit(1, asn1.any)),
    requests: asn1.sequenceOf(request, { min: 1, max: MAX_ASKED }),
    extensions: asn1.optional(asn1.explicit(2, extensions)),
  }),
  signature: asn1.optional(asn1.explicit(0, asn1.any)),
});

const revokedInfo = asn1.sequence("revokedInfo", {
  revokedAt: asn1.generalizedTime,
  reason: asn1.optional(asn1.explicit(0, revocationReason)),
});

/** What is known of a certificate. */
export type CertificateStatus =
  | { readonly kind: "good" }
  | { readonly kind: "revoked"; readonly revokedAt: Date; readonly reason: RevocationReason }
  /** The issuer never issued this serial number. */
  | { readonly kind: "unknown" };

const certStatus = asn1.oneOf<CertificateStatus>(
  "a status",
  [
    asn1.map("good", asn1.implicit(0, asn1.nothing), { decode: () => GOOD, encode: () => undefined }),
    asn1.map("revoked", asn1.implicit(1, revokedInfo), {
      decode: ({ revokedAt, reason = "unspecified" }): CertificateStatus => ({ kind: "revoked", revokedAt, reason }),
      encode: (status) => {
        const { revokedAt, reason } = status as CertificateStatus & { kind: "revoked" };
        return reason === "unspecified" ? { revokedAt } : { revokedAt, reason };
      },
    }),
    asn1.map("unknown", asn1.implicit(2, asn1.nothing), { decode: () => UNKNOWN, encode: () => undefined }),
  ],
  ({ kind }) => ["good", "revoked", "unknown"].indexOf(kind),
);
const GOOD: CertificateStatus = { kind: "good" };
const UNKNOWN: CertificateStatus = { kind: "unknown" };

const singleResponse = asn1.sequence("SingleResponse", {
  certId,
  status: certStatus,
  thisUpdate: asn1.generalizedTime,
  nextUpdate: asn1.optional(asn1.explicit(0, asn1.generalizedTime)),
  extensions: asn1.optional(asn1.explicit(1, extensions)),
});

const responderId = asn1.oneOf<{ readonly name: Infer<typeof name> } | { readonly keyHash: Uint8Array }>(
  "a responder",
  [
    asn1.map("byName", asn1.explicit(1, name), {
      decode: (value) => ({ name: value }),
      encode: (id) => ("name" in id ? id.name : []),
    }),
    asn1.map("byKey", asn1.explicit(2, asn1.octetString), {
      decode: (keyHash) => ({ keyHash }),
      encode: (id) => ("keyHash" in id ? id.keyHash : new Uint8Array()),
    }),
  ],
  (id) => ("name" in id ? 0 : 1),
);

const responseData = asn1.sequence("ResponseData", {
  version: asn1.withDefault(asn1.explicit(0, asn1.smallInteger), 0),
  responder: responderId,
  producedAt: asn1.generalizedTime,
  responses: asn1.sequenceOf(singleResponse, { min: 1, max: MAX_ASKED * HASHES.length }),
  extensions: asn1.optional(asn1.explicit(1, extensions)),
});

const basicResponse = asn1.sequence("BasicOCSPResponse", {
  data: asn1.any,
  signatureAlgorithm,
  signature: asn1.bitStringOctets,
  certificates: asn1.optional(asn1.explicit(0, asn1.sequenceOf(asn1.any, { max: 8 }))),
});

const ocspResponse = asn1.sequence("OCSPResponse", {
  status: asn1.enumerated,
  bytes: asn1.optional(
    asn1.explicit(
      0,
      asn1.sequence("responseBytes", { type: asn1.objectIdentifier, response: asn1.octetStringOf(basicResponse) }),
    ),
  ),
});

/** An answer that was not given, by its number (RFC 6960 clause 4.2.1). */
export const OCSP_ERRORS = { malformedRequest: 1, internalError: 2, tryLater: 3, unauthorized: 6 } as const;

/** An answer without a status; it is not signed, as the standard has it. */
export function ocspError(error: keyof typeof OCSP_ERRORS): Uint8Array {
  return encode(ocspResponse, { status: OCSP_ERRORS[error] });
}

/**
 * The serial number that a request asks about, when it asks about exactly one certificate of `issuer`; undefined when it
 * asks about another issuer's or about several, which a responder of signed-ahead answers does not serve.
 *
 * @throws DecodeError for what is no request
 */
export function askedSerial(octets: Uint8Array, issuer: Certificate): Uint8Array | undefined {
  const { requests } = decode(ocspRequest, octets).toBeSigned;
  const [only] = requests;
  if (only === undefined || requests.length !== 1) return undefined;
  const hash = HASHES.find(({ id }) => id === only.certId.hashAlgorithm.id);
  if (hash === undefined) return undefined;
  const own = makeCertId(hash, issuer, only.certId.serial);
  const isOwn =
    equalBytes(own.issuerNameHash, only.certId.issuerNameHash) &&
    equalBytes(own.issuerKeyHash, only.certId.issuerKeyHash);
  return isOwn ? only.certId.serial : undefined;
}

/** A request about one certificate, with SHA-1 as widely used clients name issuers. */
export function makeOcspRequest(issuer: Certificate, serial: Uint8Array): Uint8Array {
  return encode(ocspRequest, {
    toBeSigned: { version: 0, requests: [{ certId: makeCertId(HASHES[0], issuer, serial) }] },
  });
}

/** What an answer says. */
export interface OcspAnswer {
  readonly serial: Uint8Array;
  readonly status: CertificateStatus;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
}

/**
 * Signs an answer ahead of its questions: it names the issuer with every hash a question may use, and carries no nonce,
 * so that it can be served from a cache until `nextUpdate`.
 *
 * @param responder the issuer itself, or one whose certificate of profile `ocsp-responder` the issuer signed
 */
export function issueOcspResponse(issuer: Certificate, responder: Issuer, answer: OcspAnswer): Uint8Array {
  const data = prepareOcspResponse(issuer, responder.certificate, answer);
  return ocspResponseOf(issuer, responder.certificate, data, responder.signer.sign(data));
}

/** All of `issueOcspResponse` but the signature: ResponseData in DER. */
export function prepareOcspResponse(issuer: Certificate, responder: Certificate, answer: OcspAnswer): Uint8Array {
  const { serial, status, thisUpdate, nextUpdate } = answer;
  return encode(responseData, {
    version: 0,
    responder: { keyHash: keyIdentifier(responder.publicKey, "sha-1") },
    producedAt: thisUpdate,
    responses: HASHES.map((hash) => ({ certId: makeCertId(hash, issuer, serial), status, thisUpdate, nextUpdate })),
  });
}

/** An answer with the signature that was made over its data. */
export function ocspResponseOf(
  issuer: Certificate,
  responder: Certificate,
  data: Uint8Array,
  signature: Uint8Array,
): Uint8Array {
  const isDelegated = !equalBytes(responder.octets, issuer.octets);
  const response = {
    data,
    signatureAlgorithm: SIGNATURE_ALGORITHM_OF[responder.publicKey.curve],
    signature,
    ...(isDelegated && { certificates: [responder.octets] }),
  };
  return encode(ocspResponse, { status: SUCCESSFUL, bytes: { type: OID.ocspBasic, response } });
}

/**
 * Reads an answer about `serial` and verifies who signed it: the issuer, or the responder given.
 *
 * @throws DecodeError; PkiError `ocsp-refused` for another's answer, one out of its time or without an end, or one about another
 * certificate
 */
export function openOcspResponse(
  octets: Uint8Array,
  asked: {
    readonly issuer: Certificate;
    readonly responder?: Certificate;
    readonly serial: Uint8Array;
    readonly at: Date;
  },
): CertificateStatus {
  return openTimedOcspResponse(octets, asked).status;
}

/** As `openOcspResponse`, with the moment until which the answer holds. */
export function openTimedOcspResponse(
  octets: Uint8Array,
  asked: Parameters<typeof openOcspResponse>[1],
): { readonly status: CertificateStatus; readonly nextUpdate: Date } {
  const { issuer, responder = issuer, serial, at } = asked;
  const refuse = (why: string): never => {
    throw new PkiError("ocsp-refused", why);
  };
  if (!equalBytes(responder.octets, issuer.octets) && !isResponderOf(responder, issuer, at))
    return refuse("the responder may not answer for this issuer");
  const { status, bytes } = decode(ocspResponse, octets);
  if (status !== SUCCESSFUL || bytes === undefined) return refuse(`the responder answered with error ${status}`);
  if (bytes.type !== OID.ocspBasic) return refuse(`the answer is of type ${bytes.type}`);
  const { data, signatureAlgorithm: algorithm, signature } = bytes.response;
  if (
    algorithm !== SIGNATURE_ALGORITHM_OF[responder.publicKey.curve] ||
    !isSignedBy(responder.publicKey, algorithm, data, signature)
  )
    return refuse("the answer was not signed by the responder");
  const own = HASHES.map((hash) => encode(certId, makeCertId(hash, issuer, serial)));
  const found = decode(responseData, data).responses.find((one) =>
    own.some((id) => equalBytes(id, encode(certId, one.certId))),
  );
  if (found === undefined) return refuse("the answer is about another certificate");
  // One that says no end may be of any day: whoever has kept it gives it for ever.
  if (found.nextUpdate === undefined) return refuse("the answer does not say until when it holds");
  if (at < found.thisUpdate || at > found.nextUpdate) return refuse("the answer is not of this time");
  return { status: found.status, nextUpdate: found.nextUpdate };
}

function makeCertId(hash: (typeof HASHES)[number], issuer: Certificate, serial: Uint8Array): CertId {
  const digest = (octets: Uint8Array): Uint8Array => new Uint8Array(createHash(hash.node).update(octets).digest());
  const key = Uint8Array.of(4, ...issuer.publicKey.point);
  return {
    hashAlgorithm: { id: hash.id, parameters: encode(asn1.nothing, undefined) },
    issuerNameHash: digest(encode(name, issuer.subject)),
    issuerKeyHash: digest(key),
    serial,
  };
}

/** Whether a certificate may answer for its issuer at a moment: signed by it, for nothing else, and within its time. */
export function isResponderOf(certificate: Certificate, issuer: Certificate, at: Date): boolean {
  const usages = extensionValue(EXTENSIONS.extendedKeyUsage, certificate.extensions);
  const algorithm = SIGNATURE_ALGORITHM_OF[issuer.publicKey.curve];
  return (
    usages?.length === 1 &&
    usages[0] === OID.ocspSigning &&
    at >= certificate.validity.notBefore &&
    at <= certificate.validity.notAfter &&
    certificate.signatureAlgorithm === algorithm &&
    isSignedBy(issuer.publicKey, algorithm, certificate.toBeSigned, certificate.signature)
  );
}

import { randomBytes } from "node:crypto";
import { encode } from "@meterkeep/dlms";
import { issueCrl } from "../../revocation/crl.ts";
import { statusByLists } from "../../revocation/list-status.ts";
import {
  type Certificate,
  decodeCertificate,
  encodeCertificate,
  type ToBeSigned,
  toBeSigned,
} from "../../x509/certificate.ts";
import { EXTENSIONS, type Extension, type KeyUsage, makeExtension } from "../../x509/extensions.ts";
import { OID } from "../../x509/identifiers.ts";
import { keyIdentifier } from "../../x509/key-identifier.ts";
import { type Name, textAttribute } from "../../x509/name.ts";
import { validatePath } from "../../x509/path.ts";
import type { Signer } from "../../x509/signature.ts";
import { BEGIN, freshKey } from "../test-tree.ts";

// What the cases of NIST's Public Key Interoperability Test Suite (PKITS 1.0.1) are made of.

export const NOW = new Date("2027-06-01T00:00:00Z");
export const LATER = new Date("2028-01-01T00:00:00Z");
export const END = new Date("2035-01-01T00:00:00Z");
export const POINT = "http://lists.example/1.crl";

/** One case: PKITS's number and name, what comes out here, and how. */
export type PkitsCase = readonly [name: string, expected: string, run: () => string];

export interface Entity {
  readonly certificate: Certificate;
  readonly signer: Signer;
}
export type Change = Partial<ToBeSigned> & {
  readonly spoil?: boolean;
  /** Writes what nobody here would write, before it is signed. */
  readonly patch?: (octets: Uint8Array) => Uint8Array;
};

export const pointTo = (value: string) =>
  makeExtension(EXTENSIONS.crlDistributionPoints, false, [
    { name: { fullName: [{ kind: "uniformResourceIdentifier", value }] } },
  ]);
export const named = (text: string): Name => [textAttribute(OID.commonName, text)];
export const usage = (bits: readonly KeyUsage[], critical = true) => makeExtension(EXTENSIONS.keyUsage, critical, bits);
export const basic = (isAuthority: boolean, pathLength?: number, critical = true) =>
  makeExtension(EXTENSIONS.basicConstraints, critical, {
    isAuthority,
    ...(pathLength !== undefined && { pathLength }),
  });
export const CA_USAGE = usage(["keyCertSign", "cRLSign"]);

export function identifiers(own: Signer, above: Signer): Extension[] {
  const key = (signer: Signer) => keyIdentifier(signer.publicKey, "sha-1");
  return [
    makeExtension(EXTENSIONS.subjectKeyIdentifier, false, key(own)),
    makeExtension(EXTENSIONS.authorityKeyIdentifier, false, { keyIdentifier: key(above) }),
  ];
}

/** A certificate with any fields at all, signed by whoever is to have signed it. */
export function certify(
  issuer: Entity | undefined,
  subject: string,
  own: readonly Extension[],
  change: Change = {},
): Entity {
  const signer = freshKey("P-256");
  const above = issuer?.signer ?? signer;
  const { spoil = false, patch = (octets) => octets, ...fields } = change;
  const unsigned = encode(toBeSigned, {
    version: "v3",
    serial: randomBytes(16).fill(0x11, 0, 1),
    signatureAlgorithm: "ecdsa-with-SHA256",
    issuer: issuer?.certificate.subject ?? named(subject),
    validity: { notBefore: BEGIN, notAfter: END },
    subject: named(subject),
    publicKey: signer.publicKey,
    extensions: [...identifiers(signer, above), ...own],
    ...fields,
  });
  const octets = patch(unsigned);
  const signature = Uint8Array.from(above.sign(octets));
  // The last octet of s: the structure stays, the signature does not hold.
  if (spoil) signature[signature.length - 1]! ^= 1;
  const whole = encodeCertificate(octets, { signatureAlgorithm: "ecdsa-with-SHA256", signature });
  return { signer, certificate: decodeCertificate(whole) };
}

export const authority = (
  issuer: Entity | undefined,
  name: string,
  change: Change = {},
  own = [basic(true), CA_USAGE],
) => certify(issuer, name, own, change);
export const leaf = (issuer: Entity, change: Change = {}, own: readonly Extension[] = [usage(["digitalSignature"])]) =>
  certify(issuer, "End entity", own, change).certificate;

export const anchor = authority(undefined, "Trust anchor");
export const good = authority(anchor, "Good CA");

/** What our paths say of a certificate below the anchor: `valid`, or the problem; by lists where some are given. */
export function judge(certificate: Certificate, between: readonly Entity[], lists?: readonly Uint8Array[]): string {
  const verdict = validatePath(certificate, {
    anchors: [anchor.certificate],
    intermediates: between.map((one) => one.certificate),
    at: NOW,
    usage: "digitalSignature",
    ...(lists && { statusOf: (one, issuer) => statusByLists(one, issuer, lists, NOW).kind }),
  });
  return verdict.isTrusted ? "valid" : verdict.problem;
}

export const times = { thisUpdate: BEGIN, nextUpdate: LATER } as const;
export const revocations = (...all: readonly Certificate[]) =>
  all.map(({ serial }) => ({ serial, revokedAt: BEGIN, reason: "keyCompromise" as const }));
export const listOf = (issuer: Entity, ...all: readonly Certificate[]) =>
  issueCrl(issuer, { number: 1n, ...times }, revocations(...all));

/** The list of the anchor, on which nobody is. */
export const anchorList = listOf(anchor);

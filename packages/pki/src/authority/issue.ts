import { type Curve, decode, encode } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import { type Finding, lintCertificate } from "../profile/lint.ts";
import type { CertificateProfile } from "../profile/profile.ts";
import { makeSubject, type SubjectOf } from "../profile/subject.ts";
import { type Certificate, encodeCertificate, NO_END, type ToBeSigned, toBeSigned } from "../x509/certificate.ts";
import {
  EXTENSIONS,
  type Extension,
  extensionValue,
  type GeneralName,
  hardwareModule,
  makeExtension,
} from "../x509/extensions.ts";
import { keyIdentifier } from "../x509/key-identifier.ts";
import { type Name, nameText } from "../x509/name.ts";
import { type PublicKey, SIGNATURE_ALGORITHM_OF } from "../x509/public-key.ts";
import type { Signer } from "../x509/signature.ts";

/** An authority that can sign now: its own certificate and its key. */
export interface Issuer {
  readonly certificate: Certificate;
  readonly signer: Signer;
}

/** What one certificate is to say, beyond its profile. */
export interface IssueOrder {
  readonly profile: CertificateProfile;
  readonly subject: SubjectOf;
  readonly publicKey: PublicKey;
  /** 16 random octets: unpredictable, so that nobody can prepare a certificate with a chosen digest (RFC 5280, 4.1.2.2). */
  readonly serial: Uint8Array;
  readonly notBefore: Date;
  /** Where the profile has no end, none; else the profile's longest unless given. */
  readonly notAfter?: Date;
  /** The type of the device, where subjectAltName holds a hardwareModuleName. */
  readonly hwType?: string;
  /** Names and addresses of a TLS end. */
  readonly hosts?: readonly GeneralName[];
  /** Policies, where the profile wants the extension and names none. */
  readonly policies?: readonly string[];
  /** Where the issuer's revocation lists lie. */
  readonly distributionPoints?: readonly string[];
  /** Authorities below, fewer than the profile allows. */
  readonly pathLength?: number;
}

const DAY_MS = 86_400_000;

/** A certificate before it is signed: linted, and of no use to anybody. */
export interface PreparedCertificate extends ToBeSigned {
  /** TBSCertificate in DER. */
  readonly octets: Uint8Array;
}

/**
 * Issues a certificate. What was written is decoded and linted against the profile before it is signed.
 *
 * @throws PkiError `issuer-unfit` when the issuer may not sign this, `profile-violated` with the first finding
 */
export function issueCertificate(issuer: Issuer, order: IssueOrder): Certificate {
  return signPrepared(issuer.signer, prepareCertificate(issuer.certificate, order));
}

/** Issues the certificate of a root: signed with the key it is for. */
export function issueRoot(signer: Signer, order: Omit<IssueOrder, "publicKey">): Certificate {
  return signPrepared(signer, prepareRoot({ ...order, publicKey: signer.publicKey }));
}

/** All of `issueRoot` but the signature. */
export function prepareRoot(order: IssueOrder): PreparedCertificate {
  return prepare(order, makeSubject(order.profile.subject, order.subject), undefined, order.publicKey.curve);
}

/** All of `issueCertificate` but the signature. */
export function prepareCertificate(issuer: Certificate, order: IssueOrder): PreparedCertificate {
  requireFit(issuer, order.profile);
  const issuerKey = extensionValue(EXTENSIONS.subjectKeyIdentifier, issuer.extensions);
  return prepare(withinIssuer(order, issuer), issuer.subject, issuerKey, issuer.publicKey.curve);
}

/** What has an end of its own does not outlast its issuer; what has none (a meter) is believed by nobody who looks at dates. */
function withinIssuer(order: IssueOrder, { validity }: Certificate): IssueOrder {
  if (order.notAfter !== undefined || order.profile.validity === "no-end") return order;
  const end = endOf(order);
  return { ...order, notAfter: end > validity.notAfter ? validity.notAfter : end };
}

/** Signs what was prepared for this signer's own certificate. */
export function signPrepared(signer: Signer, prepared: PreparedCertificate): Certificate {
  return certificateOf(prepared, signer.sign(prepared.octets));
}

/** What was prepared, with the signature that was made over its octets: they were read when they were linted. */
export function certificateOf(
  { octets: toBeSigned, ...fields }: PreparedCertificate,
  signature: Uint8Array,
): Certificate {
  const { signatureAlgorithm } = fields;
  return { ...fields, octets: encodeCertificate(toBeSigned, { signatureAlgorithm, signature }), toBeSigned, signature };
}

function prepare(
  order: IssueOrder,
  issuer: Name,
  issuerKey: Uint8Array | undefined,
  issuerCurve: Curve,
): PreparedCertificate {
  const { profile } = order;
  const octets = encode(toBeSigned, {
    version: "v3",
    serial: order.serial,
    signatureAlgorithm: SIGNATURE_ALGORITHM_OF[issuerCurve],
    issuer,
    validity: { notBefore: order.notBefore, notAfter: endOf(order) },
    subject: makeSubject(profile.subject, order.subject),
    publicKey: order.publicKey,
    extensions: extensionsOf(order, issuerKey),
  });
  const written = decode(toBeSigned, octets);
  refuse(lintCertificate(written, profile), profile);
  return { ...written, octets };
}

function extensionsOf(order: IssueOrder, issuerKey: Uint8Array | undefined): Extension[] {
  const { profile, publicKey, hosts = [] } = order;
  const extensions = [
    makeExtension(EXTENSIONS.keyUsage, true, profile.keyUsage),
    makeExtension(EXTENSIONS.subjectKeyIdentifier, false, keyIdentifier(publicKey, profile.keyIdentifier)),
  ];
  if (issuerKey !== undefined)
    extensions.push(makeExtension(EXTENSIONS.authorityKeyIdentifier, false, { keyIdentifier: issuerKey }));
  if (profile.authority !== false) {
    const pathLength = order.pathLength ?? profile.authority.pathLength;
    extensions.push(
      makeExtension(EXTENSIONS.basicConstraints, true, {
        isAuthority: true,
        ...(pathLength !== null && { pathLength }),
      }),
    );
  }
  if (profile.extendedKeyUsage.length > 0)
    extensions.push(makeExtension(EXTENSIONS.extendedKeyUsage, false, profile.extendedKeyUsage));
  if (profile.policies.presence !== "absent") {
    const ids = order.policies ?? profile.policies.ids;
    if (ids.length === 0)
      throw new PkiError(
        "profile-violated",
        `${profile.name} wants certificatePolicies: name at least one in the order`,
      );
    extensions.push(
      makeExtension(
        EXTENSIONS.certificatePolicies,
        profile.policies.presence === "critical",
        ids.map((id) => ({ id })),
      ),
    );
  }
  if (profile.altName.kind === "hardware-module")
    extensions.push(makeExtension(EXTENSIONS.subjectAltName, profile.subject.kind === "empty", [deviceName(order)]));
  if (profile.altName.kind === "hosts") extensions.push(makeExtension(EXTENSIONS.subjectAltName, false, hosts));
  const points = order.distributionPoints ?? [];
  if (points.length > 0)
    extensions.push(
      makeExtension(
        EXTENSIONS.crlDistributionPoints,
        false,
        points.map((value) => ({ name: { fullName: [{ kind: "uniformResourceIdentifier", value }] } })),
      ),
    );
  return extensions;
}

function deviceName({ profile, subject, hwType }: IssueOrder): GeneralName {
  const type = hwType ?? (profile.altName.kind === "hardware-module" ? profile.altName.hwType : undefined);
  if (!("systemTitle" in subject) || type === undefined)
    throw new PkiError(
      "profile-violated",
      `${profile.name} names a device: the order must give its system title and the type of device`,
    );
  return hardwareModule(type, subject.systemTitle);
}

function endOf({ profile, notBefore, notAfter }: IssueOrder): Date {
  if (notAfter !== undefined) return notAfter;
  return profile.validity === "no-end" ? NO_END : new Date(notBefore.getTime() + profile.validity.days * DAY_MS);
}

/** What the issuer's own certificate allows it to sign. @throws PkiError `issuer-unfit` */
export function requireFit(issuer: Certificate, profile: CertificateProfile): void {
  const unfit = (why: string): never => {
    throw new PkiError("issuer-unfit", `${nameText(issuer.subject)} cannot issue ${profile.name}: ${why}`);
  };
  const constraints = extensionValue(EXTENSIONS.basicConstraints, issuer.extensions);
  if (!constraints?.isAuthority) unfit("it is no authority");
  if (!extensionValue(EXTENSIONS.keyUsage, issuer.extensions)?.includes("keyCertSign"))
    unfit("its key may not sign certificates");
  if (profile.authority !== false && constraints?.pathLength === 0) unfit("no authority may follow it");
  if (profile.curve === "P-384" && issuer.publicKey.curve !== "P-384")
    unfit("a key on P-384 is signed by one on P-384 only");
}

function refuse(findings: readonly Finding[], profile: CertificateProfile): void {
  const [first] = findings;
  if (first !== undefined)
    throw new PkiError("profile-violated", `not a certificate of ${profile.name}: ${first.field} ${first.message}`);
}

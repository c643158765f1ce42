import { type CertificateInfo, type Curve, equalBytes, type KeyPairUse } from "@meterkeep/dlms";
import {
  type Certificate,
  decodeCertificate,
  deviceOf,
  EXTENSIONS,
  extensionValue,
  nameOctets,
  type PublicKey,
} from "@meterkeep/pki";

/** A certificate in a meter's memory, read once. */
export interface HeldCertificate {
  readonly certificate: Certificate;
  readonly isAnchor: boolean;
  readonly info: CertificateInfo;
  /** The device it names; undefined for authorities and organisations. */
  readonly device: Uint8Array | undefined;
}

/** Reads a certificate as the meter whose title is given sees it. @throws DecodeError, PkiError */
export function heldCertificate(octets: Uint8Array, own: Uint8Array, isAnchor: boolean): HeldCertificate {
  const certificate = decodeCertificate(octets);
  const isAuthority = extensionValue(EXTENSIONS.basicConstraints, certificate.extensions)?.isAuthority === true;
  const device = isAuthority ? undefined : deviceOf(certificate);
  const altName = certificate.extensions.find(({ id }) => id === EXTENSIONS.subjectAltName.id)?.value;
  return {
    certificate,
    isAnchor,
    device,
    info: {
      certificateEntity: isAuthority ? "certificationAuthority" : entityOf(device, own),
      certificateType: isAuthority ? "other" : (useOf(certificate) ?? "other"),
      serialNumber: certificate.serial,
      issuer: nameOctets(certificate.issuer),
      subject: nameOctets(certificate.subject),
      subjectAltName: altName ?? new Uint8Array(0),
    },
  };
}

/** What an end entity's key is for; undefined where its usage is none of DLMS. */
export function useOf({ extensions }: Pick<Certificate, "extensions">): KeyPairUse | undefined {
  const usage = extensionValue(EXTENSIONS.keyUsage, extensions) ?? [];
  const signs = usage.includes("digitalSignature");
  const agrees = usage.includes("keyAgreement");
  if (usage.length !== (signs ? 1 : 0) + (agrees ? 1 : 0)) return undefined;
  if (signs) return agrees ? "tls" : "digitalSignature";
  return agrees ? "keyAgreement" : undefined;
}

export function samePublicKey(one: PublicKey, other: { readonly curve: Curve; readonly point: Uint8Array }): boolean {
  return one.curve === other.curve && equalBytes(one.point, other.point);
}

function entityOf(device: Uint8Array | undefined, own: Uint8Array): CertificateInfo["certificateEntity"] {
  if (device === undefined) return "other";
  return equalBytes(device, own) ? "server" : "client";
}

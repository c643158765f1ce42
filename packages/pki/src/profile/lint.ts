import { DecodeError, equalBytes, toHex } from "@meterkeep/dlms";
import { type Certificate, NO_END, type ToBeSigned } from "../x509/certificate.ts";
import {
  EXTENSIONS,
  type Extension,
  extensionValue,
  hardwareModuleOf,
  type KnownExtension,
} from "../x509/extensions.ts";
import { nameOfIdentifier } from "../x509/identifiers.ts";
import { keyIdentifier } from "../x509/key-identifier.ts";
import { nameText } from "../x509/name.ts";
import { isHost } from "./hosts.ts";
import type { CertificateProfile, Presence } from "./profile.ts";
import { lintSubject } from "./subject.ts";

/** One thing about a certificate that its profile does not allow. */
export interface Finding {
  /** The field, by the standard's name. */
  readonly field: string;
  /** What is there, and what the profile wants. */
  readonly message: string;
}

const DAY_MS = 86_400_000;

/**
 * Compares a certificate with a profile, field by field; an empty list means that it is one of that profile.
 *
 * What an issuer wrote is judged from what stands in the octets: this file shares nothing with issuing but the profile.
 * Signatures and paths are another matter (`validatePath`).
 */
export function lintCertificate(
  certificate: Pick<Certificate, keyof ToBeSigned>,
  profile: CertificateProfile,
): Finding[] {
  const findings: Finding[] = [];
  const check = (holds: boolean, field: string, message: string): void => {
    if (!holds) findings.push({ field, message });
  };
  const { extensions, publicKey, serial, subject, validity } = certificate;
  /** Reads an extension; one that is malformed is a finding of its own. */
  const read = <T>(known: KnownExtension<T>, presence: Presence): T | undefined => {
    const field = nameOfIdentifier(known.id);
    const found = extensions.find(({ id }) => id === known.id);
    check((found === undefined) === (presence === "absent"), field, found ? "is there, and must not be" : "is missing");
    if (found === undefined || presence === "absent") return undefined;
    check(
      found.critical === (presence === "critical"),
      field,
      `is ${found.critical ? "" : "not "}critical, and must ${found.critical ? "not " : ""}be`,
    );
    try {
      return extensionValue(known, extensions);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      check(false, field, error.message);
      return undefined;
    }
  };

  check(
    serial.some((octet) => octet !== 0),
    "serialNumber",
    "is zero",
  );
  check(publicKey.curve === profile.curve, "subjectPublicKeyInfo", `is on ${publicKey.curve}, not on ${profile.curve}`);
  for (const message of lintExtensionSet(extensions)) check(false, "extensions", message);
  for (const message of lintValidity(validity, profile)) check(false, "validity", message);
  for (const message of lintSubject(subject, profile.subject)) check(false, "subject", message);

  const usage = read(EXTENSIONS.keyUsage, "critical");
  if (usage !== undefined)
    check(sameSet(usage, profile.keyUsage), "keyUsage", `is ${usage.join(", ")}, not ${profile.keyUsage.join(", ")}`);

  const constraints = read(EXTENSIONS.basicConstraints, profile.authority === false ? "absent" : "critical");
  if (constraints !== undefined && profile.authority !== false) {
    check(constraints.isAuthority, "basicConstraints", "does not say that this is an authority");
    const allowed = profile.authority.pathLength;
    const { pathLength } = constraints;
    check(
      allowed === null || (pathLength !== undefined && pathLength <= allowed),
      "basicConstraints",
      `allows ${pathLength ?? "any number of"} authorities below, the profile ${allowed}`,
    );
  }

  const subjectKey = read(EXTENSIONS.subjectKeyIdentifier, "non-critical");
  if (subjectKey !== undefined)
    check(
      equalBytes(subjectKey, keyIdentifier(publicKey, profile.keyIdentifier)),
      "subjectKeyIdentifier",
      `${toHex(subjectKey)} does not belong to the key by method ${profile.keyIdentifier}`,
    );
  const isOwnIssuer = nameText(certificate.issuer) === nameText(subject);
  const issuerKey = isOwnIssuer
    ? extensionValue(EXTENSIONS.authorityKeyIdentifier, extensions)
    : read(EXTENSIONS.authorityKeyIdentifier, "non-critical");
  if (issuerKey !== undefined)
    check(issuerKey.keyIdentifier !== undefined, "authorityKeyIdentifier", "names no key identifier");

  const usages = read(EXTENSIONS.extendedKeyUsage, profile.extendedKeyUsage.length > 0 ? "non-critical" : "absent");
  if (usages !== undefined)
    check(
      sameSet(usages, profile.extendedKeyUsage),
      "extendedKeyUsage",
      `is ${usages.map(nameOfIdentifier).join(", ")}, not ${profile.extendedKeyUsage.map(nameOfIdentifier).join(", ")}`,
    );

  const policies = read(EXTENSIONS.certificatePolicies, profile.policies.presence);
  for (const id of profile.policies.ids)
    if (policies !== undefined)
      check(
        policies.some((policy) => policy.id === id),
        "certificatePolicies",
        `does not name ${id}`,
      );

  if (profile.distributionPoints === "forbidden")
    check(!has(extensions, EXTENSIONS.crlDistributionPoints), "cRLDistributionPoints", "is there, and must not be");

  const isOnlyName = profile.subject.kind === "empty";
  const altName = read(
    EXTENSIONS.subjectAltName,
    profile.altName.kind === "absent" ? "absent" : isOnlyName ? "critical" : "non-critical",
  );
  if (altName !== undefined && profile.altName.kind === "hosts")
    check(altName.every(isHost), "subjectAltName", "names something else than hosts, each by its own name or address");
  if (altName !== undefined && profile.altName.kind === "hardware-module") {
    const { hwType } = profile.altName;
    const module = hardwareModuleOf(altName);
    check(
      altName.length === 1 && module?.hwSerialNum.length === 8,
      "subjectAltName",
      "is not one hardwareModuleName with a system title of 8 octets",
    );
    if (hwType !== undefined)
      check(module?.hwType === hwType, "subjectAltName", `is of device type ${module?.hwType}, not ${hwType}`);
  }
  return findings;
}

function lintExtensionSet(extensions: readonly Extension[]): string[] {
  const known = new Set(Object.values(EXTENSIONS).map(({ id }) => id));
  const findings: string[] = [];
  const seen = new Set<string>();
  for (const { id, critical } of extensions) {
    if (seen.has(id)) findings.push(`${nameOfIdentifier(id)} is there twice`);
    seen.add(id);
    if (critical && !known.has(id)) findings.push(`${id} is critical and unknown`);
  }
  return findings;
}

function lintValidity({ notBefore, notAfter }: ToBeSigned["validity"], { validity }: CertificateProfile): string[] {
  if (notAfter <= notBefore) return ["ends before it begins"];
  if (validity === "no-end")
    return notAfter.getTime() === NO_END.getTime() ? [] : [`ends ${notAfter.toISOString()}, not 99991231235959Z`];
  const days = (notAfter.getTime() - notBefore.getTime()) / DAY_MS;
  return days <= validity.days ? [] : [`lasts ${Math.ceil(days)} days, ${validity.days} at most`];
}

function has<T>(extensions: readonly Extension[], known: KnownExtension<T>): boolean {
  return extensions.some(({ id }) => id === known.id);
}

function sameSet<T>(left: readonly T[], right: readonly T[]): boolean {
  return left.length === right.length && left.every((one) => right.includes(one));
}

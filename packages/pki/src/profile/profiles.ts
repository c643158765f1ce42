import type { Curve } from "@meterkeep/dlms";
import type { KeyUsage } from "../x509/extensions.ts";
import { OID } from "../x509/identifiers.ts";
import type { CertificateProfile } from "./profile.ts";

const YEAR = 366;
const NO_POLICIES = { presence: "absent", ids: [] } as const;

/** What a key of a meter or of its client is for, and what its certificate allows (Green Book 9.2.6.4). */
const PURPOSES = {
  signature: ["digitalSignature"],
  "key-agreement": ["keyAgreement"],
} as const satisfies Record<string, readonly KeyUsage[]>;

function dlms(suite: 1 | 2, purpose: keyof typeof PURPOSES): CertificateProfile {
  return {
    name: `dlms-suite-${suite}-${purpose}`,
    source: "DLMS UA 1000-2 Ed. 8, 9.2.6.4",
    authority: false,
    curve: curveOf(suite),
    subject: { kind: "system-title" },
    altName: { kind: "absent" },
    keyUsage: PURPOSES[purpose],
    extendedKeyUsage: [],
    keyIdentifier: "sha-1",
    policies: NO_POLICIES,
    distributionPoints: "forbidden",
    validity: "no-end",
  };
}

/** The key of a meter's TLS, or of its client's: the only end entity of DLMS with extendedKeyUsage, and with policies. */
function dlmsTls(suite: 1 | 2): CertificateProfile {
  return {
    ...dlms(suite, "signature"),
    name: `dlms-suite-${suite}-tls`,
    keyUsage: ["digitalSignature", "keyAgreement"],
    extendedKeyUsage: [OID.serverAuth, OID.clientAuth],
    policies: { presence: "non-critical", ids: [] },
  };
}

/** The same device, named in subjectAltName alone. */
function hardwareModule(profile: CertificateProfile): CertificateProfile {
  return {
    ...profile,
    name: profile.name.replace("dlms-", "dlms-hardware-module-"),
    subject: { kind: "empty" },
    altName: { kind: "hardware-module" },
  };
}

function gbcs(kind: "device" | "organisation", purpose: keyof typeof PURPOSES): CertificateProfile {
  const isDevice = kind === "device";
  return {
    name: `gbcs-${kind}-${purpose}`,
    source: "GBCS, clause 12",
    authority: false,
    curve: "P-256",
    subject: isDevice
      ? { kind: "empty" }
      : { kind: "named", required: ["OU", "uniqueIdentifier"], allowed: ["CN", "O"] },
    altName: isDevice ? { kind: "hardware-module" } : { kind: "absent" },
    keyUsage: PURPOSES[purpose],
    extendedKeyUsage: [],
    keyIdentifier: "short",
    policies: { presence: "critical", ids: [] },
    distributionPoints: "forbidden",
    validity: isDevice ? "no-end" : { days: 10 * YEAR },
  };
}

function authority(
  name: string,
  curve: Curve,
  pathLength: number | null,
  years: number,
  policies: CertificateProfile["policies"],
): CertificateProfile {
  return {
    name,
    source: "Meterkeep, ADR 0012; DLMS UA 1000-2 Ed. 8, 9.2.6.4",
    authority: { pathLength },
    curve,
    subject: { kind: "named", required: ["CN"], allowed: ["O", "OU", "C", "L"] },
    altName: { kind: "absent" },
    keyUsage: ["keyCertSign", "cRLSign"],
    extendedKeyUsage: [],
    keyIdentifier: "sha-1",
    policies,
    distributionPoints: "allowed",
    validity: { days: years * YEAR },
  };
}

/** People and processes of the platform: they speak TLS inside it, and sign with a key of their own where they must. */
function platform(name: string, usage: readonly string[], days: number, hosts: boolean): CertificateProfile {
  return {
    name,
    source: "Meterkeep, ADR 0012; RFC 5280, RFC 6125",
    authority: false,
    curve: "P-256",
    subject: { kind: "named", required: ["CN"], allowed: ["O", "OU", "serialNumber"] },
    altName: hosts ? { kind: "hosts" } : { kind: "absent" },
    keyUsage: ["digitalSignature"],
    extendedKeyUsage: usage,
    keyIdentifier: "sha-1",
    policies: NO_POLICIES,
    distributionPoints: "allowed",
    validity: { days },
  };
}

const POLICIES = { presence: "non-critical", ids: [] } as const;

const ALL: readonly CertificateProfile[] = [
  authority("root", "P-384", null, 40, NO_POLICIES),
  authority("scheme", "P-384", 2, 30, POLICIES),
  authority("utility", "P-384", 1, 25, POLICIES),
  authority("issuing-p256", "P-256", 0, 25, POLICIES),
  authority("issuing-p384", "P-384", 0, 25, POLICIES),
  ...([1, 2] as const).flatMap((suite) => {
    const rows = [dlms(suite, "signature"), dlms(suite, "key-agreement"), dlmsTls(suite)];
    return [...rows, ...rows.map(hardwareModule)];
  }),
  gbcs("device", "signature"),
  gbcs("device", "key-agreement"),
  gbcs("organisation", "signature"),
  gbcs("organisation", "key-agreement"),
  platform("tls-server", [OID.serverAuth], 398, true),
  platform("tls-client", [OID.clientAuth], 398, false),
  platform("concentrator", [OID.serverAuth, OID.clientAuth], 5 * YEAR, true),
  platform("worker", [OID.clientAuth], 398, false),
  platform("custodian", [OID.serverAuth, OID.clientAuth], 398, true),
  platform("edge-adapter", [OID.clientAuth], 2 * YEAR, false),
  platform("technician", [OID.clientAuth], 30, false),
  { ...platform("ocsp-responder", [OID.ocspSigning], 92, false), curve: "P-256" },
];

/** The profiles that come with Meterkeep, by name. */
export const PROFILES: ReadonlyMap<string, CertificateProfile> = new Map(ALL.map((profile) => [profile.name, profile]));

/** Whether certificates of a profile are authorities'. */
export function isAuthorityProfile(name: string): boolean {
  return (PROFILES.get(name)?.authority ?? false) !== false;
}

function curveOf(suite: 1 | 2): Curve {
  return suite === 1 ? "P-256" : "P-384";
}

import type { AuthorityView, CertificateView, KeyDescription, TakeoverState } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import { decodeCertificate } from "@meterkeep/pki";

/** A component of a CycloneDX document, as far as we write one. */
export interface Component {
  readonly type: "application" | "device" | "cryptographic-asset";
  readonly name: string;
  readonly "bom-ref": string;
  readonly version?: string;
  readonly components?: readonly Component[];
  readonly cryptoProperties?: Readonly<Record<string, unknown>>;
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

/** A meter as it was found: what its keys are, and how it came by them. */
export interface MeterFound {
  readonly state: TakeoverState;
  /** DLMS security suite; undefined where the head-end does not know the meter. */
  readonly suite: number | undefined;
  readonly keys: readonly KeyDescription[];
  readonly certificates: readonly CertificateView[];
}

/** A connection as it was negotiated just now. */
export interface Negotiated {
  readonly name: string;
  readonly protocol: string;
  readonly cipher: string;
  readonly group: string;
}

const SUITES: Readonly<Record<number, { readonly aead: string; readonly signature: string | undefined }>> = {
  0: { aead: "AES-128-GCM", signature: undefined },
  1: { aead: "AES-128-GCM", signature: "ECDSA-P256" },
  2: { aead: "AES-256-GCM", signature: "ECDSA-P384" },
};

/** Algorithms by name: what each is, and what a quantum computer leaves of it (NIST IR 8547; levels as CycloneDX counts them). */
const ALGORITHMS = {
  "AES-128-GCM": algorithm("ae", "gcm", 128, 1, ["encrypt", "decrypt", "tag"]),
  "AES-256-GCM": algorithm("ae", "gcm", 256, 5, ["encrypt", "decrypt", "tag"]),
  "AES-KW": algorithm("key-wrap", undefined, 128, 1, ["encapsulate", "decapsulate"]),
  "ECDSA-P256": algorithm("signature", undefined, 128, 0, ["sign", "verify"], "secp256r1"),
  "ECDSA-P384": algorithm("signature", undefined, 192, 0, ["sign", "verify"], "secp384r1"),
  "ML-DSA-65": algorithm("signature", undefined, 192, 3, ["sign", "verify"]),
  X25519MLKEM768: algorithm("combiner", undefined, 192, 3, ["keygen", "encapsulate", "decapsulate"]),
  "SHA-256": algorithm("hash", undefined, 128, 2, ["digest"]),
} as const;
type AlgorithmName = keyof typeof ALGORITHMS;

function algorithm(
  primitive: string,
  mode: string | undefined,
  classical: number,
  quantum: number,
  functions: readonly string[],
  curve?: string,
) {
  return {
    assetType: "algorithm",
    algorithmProperties: {
      primitive: primitive === "key-wrap" ? "other" : primitive,
      ...(mode && { mode }),
      ...(curve && { curve }),
      cryptoFunctions: functions,
      classicalSecurityLevel: classical,
      nistQuantumSecurityLevel: quantum,
    },
  };
}

/** Every algorithm that anything below refers to. */
export function algorithmComponents(): readonly Component[] {
  return Object.entries(ALGORITHMS).map(([name, cryptoProperties]) => ({
    type: "cryptographic-asset",
    name,
    "bom-ref": refOf(name as AlgorithmName),
    cryptoProperties,
  }));
}

/** A connection between parts of the platform, as it was negotiated. */
export function protocolComponent({ name, protocol, cipher, group }: Negotiated): Component {
  return {
    type: "cryptographic-asset",
    name,
    "bom-ref": `protocol/${name}`,
    cryptoProperties: {
      assetType: "protocol",
      protocolProperties: {
        type: "tls",
        version: protocol.replace("TLSv", ""),
        cipherSuites: [{ name: cipher, algorithms: group in ALGORITHMS ? [refOf(group as AlgorithmName)] : [] }],
      },
    },
    properties: [property("key-agreement", group), property("hybrid", String(group.includes("MLKEM")))],
  };
}

/** An authority of the PKI. */
export function authorityComponent(view: AuthorityView): Component {
  const { authority, name, profile, keyPlace, state, certificate } = view;
  const { validity } = decodeCertificate(certificate);
  return {
    type: "cryptographic-asset",
    name,
    "bom-ref": `authority/${authority}`,
    cryptoProperties: {
      assetType: "certificate",
      certificateProperties: {
        subjectName: name,
        notValidBefore: timeText(validity.notBefore.getTime()),
        notValidAfter: timeText(validity.notAfter.getTime()),
        signatureAlgorithmRef: signatureRefOf(certificate),
        certificateFormat: "X.509",
      },
    },
    properties: [property("profile", profile), property("key", keyPlace), property("state", state)],
  };
}

/**
 * A meter: its suite, each of its keys with its age, its certificates, and the grade of its takeover.
 *
 * `harvest-now` says that whoever recorded the WAN while keys were transferred, and gets hold of a factory key later,
 * reads them: true for every takeover that was exposed. It has nothing to do with quantum computers, and is sooner.
 */
export function meterComponent({ state, suite, keys, certificates }: MeterFound, now: number): Component {
  const title = systemTitleText(state.meter);
  const { aead, signature } = (suite !== undefined && SUITES[suite]) || { aead: undefined, signature: undefined };
  const living = keys.filter(({ state: is }) => !is.startsWith("destroyed"));
  return {
    type: "device",
    name: title,
    "bom-ref": `meter/${title}`,
    properties: [
      property("security-suite", suite === undefined ? "unknown" : String(suite)),
      property("takeover-grade", state.grade),
      property("takeover-verdict", state.verdict),
      property("harvest-now", String(state.grade === "exposed")),
      ...(signature === undefined ? [] : [property("signature-algorithm", signature)]),
    ],
    components: [
      ...living.map((key) => keyComponent(title, key, aead, now)),
      ...certificates.map((one) => certificateComponent(title, one)),
    ],
  };
}

const DAY_MS = 86_400_000;

function keyComponent(title: string, key: KeyDescription, aead: string | undefined, now: number): Component {
  const name = key.purpose === "KEK" ? "AES-KW" : aead;
  const { setup } = key;
  return {
    type: "cryptographic-asset",
    name: `${key.purpose} version ${key.version}${setup === undefined ? "" : ` of security setup ${setup}`}`,
    "bom-ref": `key/${title}/${key.purpose}/${key.version}${setup === undefined ? "" : `/setup-${setup}`}`,
    cryptoProperties: {
      assetType: "related-crypto-material",
      relatedCryptoMaterialProperties: {
        type: "secret-key",
        state: key.state,
        creationDate: timeText(key.createdAt),
        ...(key.provenAt !== undefined && { activationDate: timeText(key.provenAt) }),
        ...(name !== undefined && { algorithmRef: refOf(name as AlgorithmName) }),
      },
    },
    properties: [
      property("age-days", String(Math.max(0, Math.floor((now - key.createdAt) / DAY_MS)))),
      property("origin", key.origin),
      property("proven", String(key.provenAt !== undefined)),
    ],
  };
}

function certificateComponent(title: string, one: CertificateView): Component {
  return {
    type: "cryptographic-asset",
    name: one.profile,
    "bom-ref": `certificate/${title}/${one.authority}/${one.serial}`,
    cryptoProperties: {
      assetType: "certificate",
      certificateProperties: {
        subjectName: one.subject,
        notValidBefore: timeText(one.notBefore),
        notValidAfter: timeText(Math.min(one.notAfter, Date.UTC(9999, 11, 31))),
        ...(one.certificate !== undefined && { signatureAlgorithmRef: signatureRefOf(one.certificate) }),
        certificateFormat: "X.509",
      },
    },
    properties: [property("state", one.state), property("serial", one.serial)],
  };
}

/** By what a certificate was signed: by the key of its issuer, which may be on another curve than its own. */
function signatureRefOf(certificate: Uint8Array): string {
  const { signatureAlgorithm } = decodeCertificate(certificate);
  return refOf(signatureAlgorithm === "ecdsa-with-SHA384" ? "ECDSA-P384" : "ECDSA-P256");
}

/** The beginning of a document, up to its list of components. */
export function documentHead(options: {
  readonly version: string;
  readonly serial: string;
  readonly now: number;
}): string {
  const head = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${options.serial}`,
    version: 1,
    metadata: {
      timestamp: timeText(options.now),
      lifecycles: [{ phase: "operations" }],
      component: { type: "application", name: "Meterkeep", version: options.version, "bom-ref": "meterkeep" },
    },
  };
  return `${JSON.stringify(head).slice(0, -1)},"components":[`;
}

function property(name: string, value: string) {
  return { name: `meterkeep:${name}`, value };
}

function refOf(name: AlgorithmName): string {
  return `algorithm/${name}`;
}

function timeText(at: number): string {
  return new Date(at).toISOString();
}

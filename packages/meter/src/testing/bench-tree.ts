import { randomBytes } from "node:crypto";
import type { Curve } from "@meterkeep/dlms";
import { nodeCurves } from "@meterkeep/dlms-node";
import {
  type Certificate,
  type CertificateProfile,
  type Issuer,
  issueCertificate,
  issueRoot,
  localSigner,
  PROFILES,
  type PublicKey,
  type Signer,
} from "@meterkeep/pki";

// A tree of authorities for the bench: root, utility, issuing.

const BEGIN = new Date("2026-01-01T00:00:00Z");
const ANY_POLICY = "2.5.29.32.0";

/** The tree, and what it issues. */
export interface BenchTree {
  readonly root: Issuer;
  readonly authorities: readonly Issuer[];
  readonly issuing: Issuer;
  /** The certificate of a device. */
  issue(systemTitle: Uint8Array, use: "signature" | "key-agreement" | "tls", publicKey: PublicKey): Certificate;
}

/** Makes a tree whose issuing authority fits the suite. */
export function benchTree(suite: 1 | 2 = 1): BenchTree {
  const rootSigner = freshSigner("P-384");
  const subject = { names: { CN: "Scheme root", C: "AT" } } as const;
  const own = { serial: serial(), notBefore: BEGIN } as const;
  const root = {
    signer: rootSigner,
    certificate: issueRoot(rootSigner, { profile: profileNamed("root"), subject, ...own }),
  };
  const utility = authority(root, "utility", "P-384");
  const issuing = authority(utility, suite === 1 ? "issuing-p256" : "issuing-p384", suite === 1 ? "P-256" : "P-384");
  return {
    root,
    authorities: [utility, issuing],
    issuing,
    issue: (systemTitle, use, publicKey) =>
      issueCertificate(issuing, {
        profile: profileNamed(`dlms-suite-${suite}-${use}`),
        subject: { systemTitle },
        publicKey,
        serial: serial(),
        notBefore: BEGIN,
        ...(use === "tls" ? { policies: [ANY_POLICY] } : {}),
      }),
  };
}

/** Who signs with a fresh key. */
export function freshSigner(curve: Curve): Signer {
  const { privateKey, publicKey } = nodeCurves.generate(curve);
  return localSigner(privateKey, { curve, point: publicKey });
}

function authority(issuer: Issuer, profile: string, curve: Curve): Issuer {
  const signer = freshSigner(curve);
  const order = { profile: profileNamed(profile), subject: { names: { CN: profile } }, policies: [ANY_POLICY] };
  const rows = { publicKey: signer.publicKey, serial: serial(), notBefore: BEGIN };
  return { signer, certificate: issueCertificate(issuer, { ...order, ...rows }) };
}

function profileNamed(name: string): CertificateProfile {
  const found = PROFILES.get(name);
  if (found === undefined) throw new RangeError(`no profile ${name}`);
  return found;
}

function serial(): Uint8Array {
  return new Uint8Array(randomBytes(16));
}

/** The anchor as it stands in a production record. */
export function anchorOf({ root }: BenchTree): string {
  return Buffer.from(root.certificate.octets).toString("base64");
}

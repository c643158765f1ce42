import { generateKeyPairSync, randomBytes } from "node:crypto";
import { type Curve, decode } from "@meterkeep/dlms";
import { type IssueOrder, type Issuer, issueCertificate, issueRoot } from "../authority/issue.ts";
import type { CertificateProfile } from "../profile/profile.ts";
import { PROFILES } from "../profile/profiles.ts";
import type { Certificate } from "../x509/certificate.ts";
import { type PublicKey, publicKey } from "../x509/public-key.ts";
import { localSigner, type Signer } from "../x509/signature.ts";

/** When everything in the tests' tree begins. */
export const BEGIN = new Date("2026-01-01T00:00:00Z");
export const ANY_POLICY = "2.5.29.32.0";

/** A fresh key pair: who signs with it, and its public half. */
export function freshKey(curve: Curve): Signer {
  const pair = generateKeyPairSync("ec", { namedCurve: curve });
  const key: PublicKey = decode(publicKey, new Uint8Array(pair.publicKey.export({ type: "spki", format: "der" })));
  return localSigner(pair.privateKey, key);
}

export function profileNamed(name: string): CertificateProfile {
  const found = PROFILES.get(name);
  if (found === undefined) throw new RangeError(`no profile ${name}`);
  return found;
}

/** A root of its own. */
export function makeRoot(name = "Root", curve: Curve = "P-384"): Issuer {
  const signer = freshKey(curve);
  const order = { profile: { ...profileNamed("root"), curve }, subject: { names: { CN: name, C: "ZA" } } } as const;
  return { signer, certificate: issueRoot(signer, { ...order, serial: randomBytes(16), notBefore: BEGIN }) };
}

/** An authority under another. */
export function makeAuthority(issuer: Issuer, profile: string, name = profile, rest: Partial<IssueOrder> = {}): Issuer {
  const { curve } = rest.profile ?? profileNamed(profile);
  const signer = freshKey(curve);
  const order = { profile: profileNamed(profile), subject: { names: { CN: name } }, policies: [ANY_POLICY] } as const;
  const rows = { serial: randomBytes(16), notBefore: BEGIN, publicKey: signer.publicKey };
  return { signer, certificate: issueCertificate(issuer, { ...order, ...rows, ...rest }) };
}

/** The whole tree: root, scheme, utility, and an issuing authority on each curve. */
export function makeTree() {
  const root = makeRoot();
  const scheme = makeAuthority(root, "scheme");
  const utility = makeAuthority(scheme, "utility");
  const issuing = makeAuthority(utility, "issuing-p256");
  const issuing384 = makeAuthority(utility, "issuing-p384");
  return { root, scheme, utility, issuing, issuing384 };
}
export type Tree = ReturnType<typeof makeTree>;

export const SYSTEM_TITLE = Uint8Array.of(0x4d, 0x4b, 0x30, 0x30, 0, 0, 0, 1);

/** A device's certificate of a profile, and the key it is for. */
export function issueDevice(issuer: Issuer, profile: string, rest: Partial<IssueOrder> = {}): Certificate {
  const chosen = rest.profile ?? profileNamed(profile);
  return issueCertificate(issuer, {
    profile: chosen,
    subject: { systemTitle: SYSTEM_TITLE },
    publicKey: freshKey(chosen.curve).publicKey,
    serial: randomBytes(16),
    notBefore: BEGIN,
    hwType: "1.3.6.1.4.1.99999.1",
    policies: [ANY_POLICY],
    ...rest,
  });
}

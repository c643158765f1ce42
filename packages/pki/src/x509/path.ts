import { DlmsError, equalBytes, toHex } from "@meterkeep/dlms";
import { type Certificate, NO_END } from "./certificate.ts";
import { EXTENSIONS, extensionValue, type KeyUsage } from "./extensions.ts";
import { OID } from "./identifiers.ts";
import { nameText } from "./name.ts";
import { SIGNATURE_ALGORITHM_OF } from "./public-key.ts";
import { isSignedBy } from "./signature.ts";

/** Why a path does not hold, in an order from what is said to what is proven. */
export type PathProblem =
  | "malformed"
  | "no-path"
  | "too-long"
  | "not-an-authority"
  | "usage-not-allowed"
  | "critical-extension-unknown"
  | "extension-twice"
  | "curve-above-issuer"
  | "algorithm-mismatch"
  | "not-yet-valid"
  | "expired"
  | "revoked"
  | "revocation-unknown"
  | "signature-invalid";

export type PathVerdict =
  /** From the end entity to the anchor, both included. */
  | { readonly isTrusted: true; readonly path: readonly Certificate[] }
  | { readonly isTrusted: false; readonly problem: PathProblem; readonly message: string };

/** What a path is judged by. */
export interface PathOptions {
  /** Roots that are trusted because they were put there; nothing about them is verified but their own field values. */
  readonly anchors: readonly Certificate[];
  /** Certificates that may stand between; their order does not matter, and what does not fit is passed over. */
  readonly intermediates: readonly Certificate[];
  /** Dates are judged at this moment. */
  readonly at: Date;
  /** What the end entity's key is about to be used for. */
  readonly usage: CertificateUse;
  /** What an issuer says of a certificate of its own: by the platform's registry, or by lists (`statusByLists`). */
  readonly statusOf?: (certificate: Certificate, issuer: Certificate) => "good" | "revoked" | "unknown";
}

/** What a certificate is shown for: a usage of its key, or an end of TLS, which its extendedKeyUsage has to allow. */
export type CertificateUse = KeyUsage | "tls-client" | "tls-server";

const TLS_PURPOSES: Partial<Readonly<Record<CertificateUse, string>>> = {
  "tls-client": OID.clientAuth,
  "tls-server": OID.serverAuth,
};

/** Root, scheme, utility, issuing, end entity: five; a few more for schemes with another level. */
const MAX_PATH = 8;

const UNDERSTOOD = new Set<string>(Object.values(EXTENSIONS).map(({ id }) => id));

/**
 * Looks for a path from `certificate` to an anchor and verifies it (RFC 5280 clause 6, in what metering uses): names, key
 * identifiers, authorities and their depth, usages, curves, dates, revocation and, last since it costs most, signatures.
 *
 * Where there are several ways, the first that holds counts; where none does, the problem of the one that came furthest.
 */
export function validatePath(certificate: Certificate, options: PathOptions): PathVerdict {
  try {
    return leafProblem(certificate, options) ?? extend([certificate], options);
  } catch (error) {
    // Values of extensions are octets until somebody looks at them.
    if (error instanceof DlmsError) return refusal("malformed", `${describe(certificate)}: ${error.message}`);
    throw error;
  }
}

function extend(path: readonly Certificate[], options: PathOptions): PathVerdict {
  const subject = path.at(-1)!;
  let best: PathVerdict = refusal("no-path", `nobody known issued ${describe(subject)}`);
  if (path.length >= MAX_PATH) return refusal("too-long", `more than ${MAX_PATH} certificates`);
  for (const [candidates, isAnchor] of [
    [options.anchors, true],
    [options.intermediates, false],
  ] as const) {
    for (const issuer of candidates) {
      if (path.includes(issuer) || !isIssuerByName(issuer, subject)) continue;
      const problem = linkProblem(subject, issuer, path.length - 1, options);
      const verdict: PathVerdict =
        problem ?? (isAnchor ? { isTrusted: true, path: [...path, issuer] } : extend([...path, issuer], options));
      if (verdict.isTrusted) return verdict;
      if (!best.isTrusted && best.problem === "no-path") best = verdict;
    }
  }
  return best;
}

function leafProblem(certificate: Certificate, { at, usage }: PathOptions): PathVerdict | undefined {
  const purpose = TLS_PURPOSES[usage];
  const usages: readonly string[] | undefined = extensionValue(EXTENSIONS.keyUsage, certificate.extensions);
  if (!usages?.includes(purpose === undefined ? usage : "digitalSignature"))
    return refusal("usage-not-allowed", `${describe(certificate)} is not for ${usage}`);
  if (purpose !== undefined && !extensionValue(EXTENSIONS.extendedKeyUsage, certificate.extensions)?.includes(purpose))
    return refusal("usage-not-allowed", `${describe(certificate)} is not for ${usage}`);
  return fieldProblem(certificate, at);
}

/** What speaks against `issuer` having issued `subject`. `below`: authorities between `issuer` and the end entity. */
function linkProblem(
  subject: Certificate,
  issuer: Certificate,
  below: number,
  options: PathOptions,
): PathVerdict | undefined {
  const constraints = extensionValue(EXTENSIONS.basicConstraints, issuer.extensions);
  if (!constraints?.isAuthority) return refusal("not-an-authority", `${describe(issuer)} is no authority`);
  if (constraints.pathLength !== undefined && constraints.pathLength < below)
    return refusal(
      "too-long",
      `${describe(issuer)} allows ${constraints.pathLength} authorities below, there are ${below}`,
    );
  if (!extensionValue(EXTENSIONS.keyUsage, issuer.extensions)?.includes("keyCertSign"))
    return refusal("usage-not-allowed", `the key of ${describe(issuer)} may not sign certificates`);
  const purpose = TLS_PURPOSES[options.usage];
  const allowed = extensionValue(EXTENSIONS.extendedKeyUsage, issuer.extensions);
  if (purpose !== undefined && allowed?.includes(purpose) === false)
    return refusal("usage-not-allowed", `${describe(issuer)} issues nothing for ${options.usage}`);
  if (subject.publicKey.curve === "P-384" && issuer.publicKey.curve === "P-256")
    return refusal("curve-above-issuer", `${describe(subject)} is on P-384 under a key on P-256`);
  if (subject.signatureAlgorithm !== SIGNATURE_ALGORITHM_OF[issuer.publicKey.curve])
    return refusal("algorithm-mismatch", `${subject.signatureAlgorithm} by a key on ${issuer.publicKey.curve}`);
  const problem = fieldProblem(issuer, options.at);
  if (problem !== undefined) return problem;
  const status = options.statusOf?.(subject, issuer) ?? "good";
  if (status === "revoked") return refusal("revoked", `${describe(subject)} was revoked by its issuer`);
  if (status === "unknown")
    return refusal("revocation-unknown", `whether ${describe(subject)} was revoked is not known: it is not believed`);
  if (!isSignedBy(issuer.publicKey, subject.signatureAlgorithm, subject.toBeSigned, subject.signature))
    return refusal("signature-invalid", `${describe(subject)} was not signed by ${describe(issuer)}`);
  return undefined;
}

function fieldProblem(certificate: Certificate, at: Date): PathVerdict | undefined {
  const { notBefore, notAfter } = certificate.validity;
  if (at < notBefore)
    return refusal("not-yet-valid", `${describe(certificate)} is valid from ${notBefore.toISOString()}`);
  if (at > notAfter && notAfter.getTime() !== NO_END.getTime())
    return refusal("expired", `${describe(certificate)} ended ${notAfter.toISOString()}`);
  for (const { id, critical } of certificate.extensions)
    if (critical && !UNDERSTOOD.has(id))
      return refusal("critical-extension-unknown", `${describe(certificate)} has ${id}`);
  const ids = certificate.extensions.map(({ id }) => id);
  const twice = ids.find((id, place) => ids.indexOf(id) !== place);
  return twice === undefined ? undefined : refusal("extension-twice", `${describe(certificate)} has ${twice} twice`);
}

/** Names are the same octets, and key identifiers, where both sides have them, agree. */
function isIssuerByName(issuer: Certificate, subject: Certificate): boolean {
  if (!sameName(issuer, subject)) return false;
  const wanted = extensionValue(EXTENSIONS.authorityKeyIdentifier, subject.extensions)?.keyIdentifier;
  const own = extensionValue(EXTENSIONS.subjectKeyIdentifier, issuer.extensions);
  return wanted === undefined || own === undefined || equalBytes(wanted, own);
}

function sameName({ subject: own }: Certificate, { issuer: wanted }: Certificate): boolean {
  return (
    own.length === wanted.length &&
    own.every(({ type, value }, at) => type === wanted[at]!.type && equalBytes(value, wanted[at]!.value))
  );
}

function describe(certificate: Certificate): string {
  return `${nameText(certificate.subject)} (serial ${toHex(certificate.serial)})`;
}

function refusal(problem: PathProblem, message: string): PathVerdict {
  return { isTrusted: false, problem, message };
}

import { DlmsError, equalBytes, toHex } from "@meterkeep/dlms";
import type { AssignmentIndex } from "../assignment/table.ts";
import type { Registry } from "../registry/registry.ts";
import { type Certificate, decodeCertificate } from "../x509/certificate.ts";
import { deviceOf } from "../x509/device.ts";
import { type CertificateUse, type PathProblem, validatePath } from "../x509/path.ts";
import { type Authorities, authorityId } from "./authorities.ts";

/** What came of looking at a certificate that somebody showed. */
export type Examination =
  /** From the certificate to its root, both included. */
  | { readonly isTrusted: true; readonly certificate: Certificate; readonly path: readonly Certificate[] }
  | {
      readonly isTrusted: false;
      readonly problem: PathProblem | "other-device" | "assignment-violated";
      readonly message: string;
    };

/** What a certificate is examined with. */
export interface ExaminationDependencies {
  readonly authorities: Pick<Authorities, "all">;
  readonly registry: Pick<Registry, "isRevoked">;
  readonly assignments: () => Promise<AssignmentIndex | undefined>;
  readonly now: () => number;
}

/**
 * Judges a certificate by this installation's tree: its path, what its authorities have revoked, whose device it names,
 * and whether an authority in its path may speak for that device. Whoever talks with a device asks this first: the device
 * itself looks at neither dates nor lists.
 *
 * @param octets DER, as it was shown
 * @param device the system title that the certificate has to name; none for what is no device
 */
export async function examineCertificate(
  { authorities, registry, assignments, now }: ExaminationDependencies,
  octets: Uint8Array,
  usage: CertificateUse,
  device?: Uint8Array,
): Promise<Examination> {
  const all = (await authorities.all()).map((record) => ({
    certificate: decodeCertificate(record.certificate),
    isRoot: record.parent === undefined,
  }));
  let certificate: Certificate;
  try {
    certificate = decodeCertificate(octets);
  } catch (error) {
    return refusal("malformed", error instanceof Error ? error.message : String(error));
  }
  const verdict = validatePath(certificate, {
    anchors: all.filter(({ isRoot }) => isRoot).map((one) => one.certificate),
    intermediates: all.filter(({ isRoot }) => !isRoot).map((one) => one.certificate),
    at: new Date(now()),
    usage,
  });
  if (!verdict.isTrusted) return verdict;
  const { path } = verdict;
  for (const [at, one] of path.entries()) {
    const issuer = path[at + 1];
    if (issuer !== undefined && (await registry.isRevoked(authorityId(issuer), toHex(one.serial))))
      return refusal("revoked", `${at === 0 ? "the certificate" : "an authority above it"} was revoked`);
  }
  if (device === undefined) return { isTrusted: true, certificate, path };
  let named: Uint8Array | undefined;
  try {
    named = deviceOf(certificate);
  } catch (error) {
    if (!(error instanceof DlmsError)) throw error;
    return refusal("malformed", error.message);
  }
  if (named === undefined || !equalBytes(named, device))
    return refusal(
      "other-device",
      `the certificate names ${named === undefined ? "no device" : toHex(named).toUpperCase()}`,
    );
  const objection = (await assignments())?.objection(device, path);
  if (objection !== undefined) return refusal("assignment-violated", objection);
  return { isTrusted: true, certificate, path };
}

function refusal(problem: Extract<Examination, { isTrusted: false }>["problem"], message: string): Examination {
  return { isTrusted: false, problem, message };
}

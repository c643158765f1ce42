import { createHash, X509Certificate } from "node:crypto";
import { type HeadEnd, type HeadEndPurpose, headEnd } from "@meterkeep/api/custodian";
import { decode, encode, fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { CallerRights } from "../calls/caller.ts";
import type { MeterPlace } from "../store/records.ts";

/** What a head-end may ask unless its enrolment says otherwise: enough to read 100 000 meters in an hour. */
export const DEFAULT_LIMITS: HeadEnd["limits"] = {
  itemsPerSecond: 2_000,
  itemsBurst: 8_192,
  batch: 1_024,
  sessions: 2_000,
  connections: 16,
};

/** The name that a head-end has in the ledger, told apart from the principals of this installation. */
export function principalOf({ name }: Pick<HeadEnd, "name">): string {
  return `head-end:${name}`;
}

/** A head-end as JSON has it: what stands in the ledger. */
export interface HeadEndJson extends Omit<HeadEnd, "grants"> {
  readonly grants: readonly (Omit<HeadEnd["grants"][number], "meters"> & {
    readonly meters: readonly { readonly from: string; readonly to: string }[];
  })[];
}

export function headEndJson(record: HeadEnd): HeadEndJson {
  const grants = record.grants.map((grant) => ({
    ...grant,
    meters: grant.meters.map(({ from, to }) => ({ from: systemTitleText(from), to: systemTitleText(to) })),
  }));
  return { ...record, grants };
}

export function headEndOf(json: HeadEndJson): HeadEnd {
  const title = (text: string) => systemTitle(fromHex(text));
  const grants = json.grants.map((grant) => ({
    ...grant,
    meters: grant.meters.map(({ from, to }) => ({ from: title(from), to: title(to) })),
  }));
  return { ...json, grants };
}

/**
 * Judges a record before it is enrolled.
 *
 * @throws CallRefusal `head-end-invalid`
 */
export function checkHeadEnd(record: HeadEnd, now: number): void {
  try {
    decode(headEnd, encode(headEnd, record));
  } catch (cause) {
    throw new CallRefusal("head-end-invalid", (cause as Error).message, { cause });
  }
  const invalid = (why: string) => new CallRefusal("head-end-invalid", `head-end ${record.name}: ${why}`);
  const { trust, grants, limits } = record;
  const certificates = trust.kind === "pinned" ? trust.certificates : [trust.issuer];
  if (certificates.length === 0) throw invalid("it needs a certificate");
  for (const pem of certificates) {
    const certificate = certificateOf(pem);
    if (certificate === undefined) throw invalid("a certificate is not PEM that X.509 reads");
    if (certificate.validToDate.getTime() < now) throw invalid(`the certificate ${certificate.subject} is over`);
    if (trust.kind === "issued" && !certificate.ca) throw invalid(`${certificate.subject} is no authority`);
  }
  if (grants.length === 0) throw invalid("without a grant it may do nothing: remove it instead");
  for (const { purposes, meters } of grants) {
    if (purposes.length === 0) throw invalid("a grant has no purpose");
    if (meters.some(({ from, to }) => systemTitleText(from) > systemTitleText(to)))
      throw invalid("a range of meters ends before it begins");
  }
  if (Object.values(limits).some((limit) => limit < 1)) throw invalid("a limit of 0 lets nothing through");
}

/** What people approve of a record: who it is, what it may do, and a digest over all of it. */
export function approvedFacts(record: HeadEnd): Record<string, string> {
  const json = headEndJson(record);
  const { trust } = record;
  const known =
    trust.kind === "issued"
      ? `${trust.subject} of the authority ${certificateOf(trust.issuer)?.fingerprint256}`
      : trust.certificates.map((pem) => certificateOf(pem)?.fingerprint256).join(" or ");
  const grants = json.grants.map(({ purposes, utility, islands, meters }) => {
    const where = islands.length === 0 ? utility : `${utility}/${islands.join(",")}`;
    const [first, ...more] = meters.map(({ from, to }) => `${from}-${to}`);
    const which =
      first === undefined
        ? "all meters"
        : `meters ${first}${more.length === 0 ? "" : ` and ${more.length} more ranges`}`;
    return `${purposes.join(", ")} in ${where}, ${which}`;
  });
  const digest = createHash("sha256").update(JSON.stringify(json)).digest("hex");
  return { name: record.name, known: known.slice(0, 256), grants: grants.join("; ").slice(0, 512), digest };
}

/** What the grants of a head-end allow. */
export function rightsOf({ grants, limits }: HeadEnd): CallerRights {
  const rules = grants.map(({ purposes, utility, islands, meters }) => ({
    purposes: new Set<HeadEndPurpose>(purposes),
    utility,
    islands: new Set(islands),
    meters: meters.map(({ from, to }) => [systemTitleText(from), systemTitleText(to)] as const),
  }));
  return {
    sessions: limits.sessions,
    permits: (place: MeterPlace, purpose) =>
      rules.some(
        ({ purposes, utility, islands, meters }) =>
          purposes.has(purpose) &&
          utility === place.utility &&
          (islands.size === 0 || islands.has(place.island)) &&
          (meters.length === 0 || meters.some(([from, to]) => from <= place.systemTitle && place.systemTitle <= to)),
      ),
  };
}

/** A certificate from PEM; undefined where it is none. */
export function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

import { createHash } from "node:crypto";
import type { Standing } from "@meterkeep/api";
import type { Rows } from "./standing.ts";

/** A value of the time that is decided about, and how it stands. */
export interface StandingValue {
  readonly of: Rows;
  /** Its channel or its OBIS code. */
  readonly name: string;
  readonly at: number;
  readonly evidence: number;
  readonly standing: Standing;
}

/** What a digest counts beside its hash, in the order in which it stands there. */
const COUNTED = ["meters", "findings", "contradicting answers", "values"] as const;

/** Of one meter what there is to be decided about: how much, and a hash of it. */
export interface DigestPart {
  readonly counts: readonly [meters: number, findings: number, contradictions: number, values: number];
  readonly hash: string;
}

/** Of what disputes, and of each value in dispute with what it rests on and how it stands; `values` in an order that is the same each time. */
export function digestPart(
  title: string,
  findings: readonly number[],
  contradictions: readonly number[],
  values: readonly StandingValue[],
): DigestPart {
  const disputed = values.filter(({ standing }) => standing !== "undisputed");
  const sorted = contradictions.toSorted((one, other) => one - other);
  const hash = createHash("sha256");
  hash.update(`${JSON.stringify([title, findings, sorted, disputed.length])}\n`);
  for (const { of, name, at, evidence, standing } of disputed)
    hash.update(`${JSON.stringify([of, name, Math.round(at), evidence, standing])}\n`);
  return { counts: [1, findings.length, contradictions.length, disputed.length], hash: hash.digest("hex") };
}

/**
 * Of the time and the rule that were looked at, and of all meters in an order that is the same each time, to be named as it is. It
 * begins with its counts, so that it can be said afterwards what has changed.
 */
export function settlementDigest(
  { from, to, rule = "" }: { readonly from: number; readonly to: number; readonly rule?: string },
  parts: readonly DigestPart[],
): string {
  const hash = createHash("sha256").update(`${JSON.stringify([from, to, rule])}\n`);
  const counts = [0, 0, 0, 0];
  for (const part of parts) {
    hash.update(`${part.hash}\n`);
    for (const [place, more] of part.counts.entries()) counts[place] = (counts[place] ?? 0) + more;
  }
  return [...counts, hash.digest("hex")].join("-");
}

/** In words, for whoever has looked at something else than what there is now. */
export function changesBetween(looked: string, now: string): string {
  const [before, after] = [looked, now].map((digest) => /^(\d+)-(\d+)-(\d+)-(\d+)-/.exec(digest)?.slice(1));
  const changes = COUNTED.flatMap((what, place) => {
    const [then, there] = [before?.[place], after?.[place]];
    return then === there ? [] : [`${what}: ${then ?? "none"} then, ${there ?? "none"} now`];
  });
  const what = changes.length === 0 ? "as many findings and values, and not the same" : changes.join("; ");
  return `what is in dispute there is not what was looked at (${what}); look again, by a dry run, and settle with its digest`;
}

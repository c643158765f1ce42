import { DlmsError } from "@meterkeep/dlms";
import { TransportError } from "@meterkeep/dlms-node";
import { Bench, type BenchParts } from "./bench.ts";
import type { Check, Finding, Severity, Verdict } from "./check.ts";
import { Evidence, type EvidenceStep } from "./evidence.ts";
import { NotTestable } from "./not-testable.ts";

/** One check as it came out. */
export interface Result {
  readonly id: string;
  readonly title: string;
  readonly severity: Severity;
  readonly verdict: Verdict;
  /** What is so with this meter. */
  readonly sentence: string;
  readonly why: string;
  readonly how: string;
  readonly clause: string;
  readonly evidence: readonly EvidenceStep[];
  /** Steps in the middle of long exchanges that are not kept. */
  readonly evidenceLeftOut: number;
}

/** A whole acceptance test (docs/formats/assessment.md). */
export interface Assessment {
  readonly format: "meterkeep-assessment-1";
  readonly program: string;
  readonly meter: { readonly address: string; readonly systemTitle: string | null; readonly deviceName: string | null };
  /** Who we were to the meter, in words; no key. */
  readonly client: string;
  readonly begun: string;
  readonly ended: string;
  readonly counts: Readonly<Record<Verdict, number>>;
  readonly results: readonly Result[];
}

/** Runs one check; whatever goes wrong with the line makes it not testable. @throws when the signal is aborted */
export async function runCheck(check: Check, parts: BenchParts): Promise<Result> {
  const evidence = new Evidence();
  const { id, title, severity, why, how, clause } = check;
  const { verdict, sentence } = await findingOf(check, parts, evidence);
  const { steps, leftOut } = evidence;
  return { id, title, severity, verdict, sentence, why, how, clause, evidence: steps, evidenceLeftOut: leftOut };
}

/** Counts verdicts. */
export function countsOf(results: readonly Pick<Result, "verdict">[]): Assessment["counts"] {
  const count = (verdict: Verdict): number => results.filter((result) => result.verdict === verdict).length;
  return { pass: count("pass"), fail: count("fail"), "not-testable": count("not-testable") };
}

async function findingOf(check: Check, parts: BenchParts, evidence: Evidence): Promise<Finding> {
  await using bench = new Bench(parts, evidence);
  try {
    return await check.run(bench);
  } catch (error) {
    parts.signal.throwIfAborted();
    if (error instanceof NotTestable) return { verdict: "not-testable", sentence: error.message };
    if (error instanceof TransportError || error instanceof DlmsError)
      return { verdict: "not-testable", sentence: `The exchange broke off: ${error.message} [${error.code}].` };
    throw error;
  }
}

import type { Bench } from "./bench.ts";

/** How a check ended. */
export type Verdict = "pass" | "fail" | "not-testable";

/** What an attacker gains where a check fails: the supply or the keys, readings or availability, or a step towards them. */
export type Severity = "critical" | "high" | "medium";

/** What a check found, as a sentence about this meter. The octets that show it are in the bench's record. */
export interface Finding {
  readonly verdict: Verdict;
  readonly sentence: string;
}

/** One check of the acceptance test. */
export interface Check {
  /** Stable name. */
  readonly id: string;
  readonly title: string;
  readonly severity: Severity;
  /** What somebody could do to a meter that fails. */
  readonly why: string;
  /** What is done to find out. */
  readonly how: string;
  /** Where it is demanded. */
  readonly clause: string;
  /** Only where it was asked for: it takes long, or may lock somebody out. */
  readonly onRequest?: true;
  /** @throws NotTestable where something it needs is not there; TransportError where the line fails */
  run(bench: Bench): Promise<Finding>;
}

export function pass(sentence: string): Finding {
  return { verdict: "pass", sentence };
}

export function fail(sentence: string): Finding {
  return { verdict: "fail", sentence };
}

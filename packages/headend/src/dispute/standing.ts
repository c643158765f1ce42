import type { Standing } from "@meterkeep/api";
import type { Stretch } from "../reading/coverage.ts";

/** Which rows of a meter a value stands in: a finding may be about those of its profile of power quality alone. */
export type Rows = "readings" | "quality";

/** A finding that disputes what a meter said in a stretch: behind its start, up to its end. */
export interface Dispute extends Stretch {
  readonly finding: number;
  /** Of all rows where absent. */
  readonly concerns: "quality" | undefined;
}

/** What somebody has decided about a stretch of a meter, and of which disputes. */
export interface Decision extends Stretch {
  readonly verdict: "accepted" | "rejected";
  readonly findings: ReadonlySet<number>;
  /** By the number of the evidence that the other value rests on. */
  readonly contradictions: ReadonlySet<number>;
}

/**
 * How the values of one meter stand. A value is disputed as long as there is one thing against it that no decision has seen: what
 * is found later opens it again. Of several decisions the newest counts.
 */
export class Standings {
  readonly #disputes: readonly Dispute[];
  readonly #decisions: readonly Decision[];

  /** `decisions` in the order in which they were made. */
  constructor(disputes: readonly Dispute[], decisions: readonly Decision[]) {
    this.#disputes = disputes;
    this.#decisions = decisions;
  }

  /** How the value at an instant stands that is contradicted by what rests on `contradictions`. */
  at(instant: number, rows: Rows = "readings", contradictions: readonly number[] = []): Standing {
    const found = this.#disputes.filter(
      (one) => isIn(one, instant) && (one.concerns === undefined || one.concerns === rows),
    );
    if (found.length === 0 && contradictions.length === 0) return "undisputed";
    const decided = this.#decisions.filter((one) => isIn(one, instant));
    const isSettled =
      found.every(({ finding }) => decided.some(({ findings }) => findings.has(finding))) &&
      contradictions.every((evidence) => decided.some((one) => one.contradictions.has(evidence)));
    if (!isSettled) return "disputed";
    const newest = decided.findLast(
      (one) =>
        found.some(({ finding }) => one.findings.has(finding)) ||
        contradictions.some((evidence) => one.contradictions.has(evidence)),
    );
    return newest?.verdict ?? "disputed";
  }

  /** Stretches, behind their starts up to their ends, in which values stand otherwise than undisputed, in the order of time. */
  stretches(rows: Rows = "readings"): readonly (Stretch & { readonly standing: Standing })[] {
    const ends = [...this.#disputes, ...this.#decisions].flatMap(({ from, to }) => [from, to]);
    const bounds = [...new Set(ends)].sort((one, other) => one - other);
    return bounds.slice(1).flatMap((to, before) => {
      const standing = this.at(to, rows);
      return standing === "undisputed" ? [] : [{ from: bounds[before] as number, to, standing }];
    });
  }
}

/** Whether decisions may rest on a value that stands so. */
export function isSettledFor(standing: Standing): boolean {
  return standing === "undisputed" || standing === "accepted";
}

function isIn({ from, to }: Stretch, instant: number): boolean {
  return instant > from && instant <= to;
}

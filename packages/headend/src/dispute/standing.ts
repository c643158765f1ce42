import type { Standing } from "@meterkeep/api";
import type { Stretch } from "../reading/coverage.ts";

/** Which rows of a meter a value stands in: a finding may be about those alone. */
export type Rows = "intervals" | "registers" | "quality";

/** A finding that disputes what a meter said in a stretch: behind its start, up to its end. */
export interface Dispute extends Stretch {
  readonly finding: number;
  /** Of all rows where absent. */
  readonly concerns: Rows | undefined;
  /** Only what rests on evidence of a higher number; all where absent. */
  readonly newerThan?: number | undefined;
}

/** What somebody has decided about a stretch of a meter, and of which disputes. */
export interface Decision extends Stretch {
  readonly verdict: "accepted" | "rejected";
  readonly findings: ReadonlySet<number>;
  /** By the number of the evidence that the other value rests on. */
  readonly contradictions: ReadonlySet<number>;
  /** The number of the newest evidence that the values rested on that were seen: numbers rise with time. */
  readonly seenTo: number;
}

/** Between two bounds, behind the first up to the second, the same is said of every instant. */
interface Segment extends Stretch {
  readonly disputes: Dispute[];
  /** In the order in which they were made. */
  readonly decisions: Decision[];
}

/** How values stand that rest on evidence behind `above`, up to `upTo`. */
export interface StandingStretch extends Stretch {
  readonly above: number;
  readonly upTo: number;
  readonly standing: Standing;
}

/**
 * How the values of one meter stand. A value is disputed as long as there is one thing against it that no decision has settled
 * that has seen both: what is found later opens it again, and a value that comes later was seen by nobody. Of several decisions
 * the newest counts.
 */
export class Standings {
  /** In the order of time, each to where the next begins: a clock that is off disputes a few instants more in each session. */
  readonly #segments: readonly Segment[];

  /** `decisions` in the order in which they were made. */
  constructor(disputes: readonly Dispute[], decisions: readonly Decision[]) {
    const ends = [...disputes, ...decisions].flatMap(({ from, to }) => [from, to]);
    const bounds = [...new Set(ends)].sort((one, other) => one - other);
    const segments = bounds
      .slice(1)
      .map((to, before): Segment => ({ from: bounds[before] as number, to, disputes: [], decisions: [] }));
    const places = new Map(bounds.map((bound, place) => [bound, place]));
    const within = ({ from, to }: Stretch): readonly Segment[] => segments.slice(places.get(from), places.get(to));
    for (const dispute of disputes) for (const segment of within(dispute)) segment.disputes.push(dispute);
    for (const decision of decisions) for (const segment of within(decision)) segment.decisions.push(decision);
    this.#segments = segments;
  }

  /** How the value of an instant stands that rests on `evidence` and is contradicted by what rests on `contradictions`. */
  at(instant: number, rows: Rows, evidence: number, contradictions: readonly number[] = []): Standing {
    const segment = this.#segmentAt(instant);
    return segment === undefined && contradictions.length === 0
      ? "undisputed"
      : standingIn(segment, rows, evidence, contradictions);
  }

  /**
   * Stretches, behind their starts up to their ends, in which values stand otherwise than undisputed, in the order of time; one
   * for each span of evidence that decisions and findings tell apart.
   */
  stretches(rows: Rows): readonly StandingStretch[] {
    return this.#segments.flatMap((segment) => {
      const { from, to, disputes, decisions } = segment;
      const told = [...decisions.map(({ seenTo }) => seenTo), ...disputes.flatMap(({ newerThan }) => newerThan ?? [])];
      const seen = [...new Set(told)].sort((one, other) => one - other);
      return [...seen, Number.POSITIVE_INFINITY].flatMap((upTo, at) => {
        const standing = standingIn(segment, rows, upTo, []);
        return standing === "undisputed"
          ? []
          : [{ from, to, above: seen[at - 1] ?? Number.NEGATIVE_INFINITY, upTo, standing }];
      });
    });
  }

  #segmentAt(instant: number): Segment | undefined {
    let [low, high] = [0, this.#segments.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#segments[middle] as Segment).to < instant) low = middle + 1;
      else high = middle;
    }
    const segment = this.#segments[low];
    return segment !== undefined && segment.from < instant ? segment : undefined;
  }
}

function standingIn(
  segment: Segment | undefined,
  rows: Rows,
  evidence: number,
  contradictions: readonly number[],
): Standing {
  const { disputes = [], decisions: made = [] } = segment ?? {};
  const found = disputes.filter(
    ({ concerns = rows, newerThan = Number.NEGATIVE_INFINITY }) => concerns === rows && evidence > newerThan,
  );
  if (found.length === 0 && contradictions.length === 0) return "undisputed";
  const decisions = made.filter(({ seenTo }) => evidence <= seenTo);
  const isSettled =
    found.every(({ finding }) => decisions.some(({ findings }) => findings.has(finding))) &&
    contradictions.every((other) => decisions.some((one) => one.contradictions.has(other)));
  if (!isSettled) return "disputed";
  const newest = decisions.findLast(
    (one) =>
      found.some(({ finding }) => one.findings.has(finding)) ||
      contradictions.some((other) => one.contradictions.has(other)),
  );
  return newest?.verdict ?? "disputed";
}

/** Whether decisions may rest on a value that stands so. */
export function isSettledFor(standing: Standing): boolean {
  return standing === "undisputed" || standing === "accepted";
}

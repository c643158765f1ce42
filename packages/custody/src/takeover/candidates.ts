import { PURPOSE } from "../store/records.ts";
import type { Journal } from "./journal.ts";

/** How often a meter may be tried with keys it may not hold. */
export interface Pace {
  /** Between two tries with the same keys: `trust.md` 1.4 asks for an hour, the slower of the limits known. */
  readonly sameKeysMilliseconds: number;
  /** Between any two tries that were refused. */
  readonly anyKeysMilliseconds: number;
  /** After the first contact that led nowhere; doubled each time, up to an hour. */
  readonly firstRetryMilliseconds: number;
}

/** For meters in the field. */
export const FIELD_PACE: Pace = {
  sameKeysMilliseconds: 3_600_000,
  anyKeysMilliseconds: 20_000,
  firstRetryMilliseconds: 1000,
};

/** Versions of the unicast and the authentication key to associate with. */
export interface Candidate {
  readonly GUEK: number;
  readonly GAK: number;
}

/**
 * Every combination that may be on the meter, the likeliest first: both newest, both next, then the mixed ones, since an
 * array of keys is not assumed to be applied whole.
 */
export function candidates({ belief }: Journal): Candidate[] {
  const ranked = belief[PURPOSE.GUEK].flatMap((GUEK, one) =>
    belief[PURPOSE.GAK].map((GAK, other) => ({
      GUEK,
      GAK,
      rank: one === other ? 2 * one : 2 * Math.max(one, other) + 1,
    })),
  );
  return ranked.sort((a, b) => a.rank - b.rank).map(({ GUEK, GAK }) => ({ GUEK, GAK }));
}

/** The candidate to try now, or how long to wait. */
export function nextCandidate(
  journal: Journal,
  at: number,
  pace: Pace,
): { readonly candidate: Candidate } | { readonly milliseconds: number } {
  const all = candidates(journal);
  const waits = all.map((candidate) => waitFor(journal, candidate, at, pace));
  const least = Math.min(...waits);
  if (least > 0) return { milliseconds: least };
  return { candidate: all[waits.indexOf(0)] as Candidate };
}

function waitFor({ tries }: Journal, candidate: Candidate, at: number, pace: Pace): number {
  const same = tries.filter(({ GUEK, GAK }) => GUEK === candidate.GUEK && GAK === candidate.GAK).at(-1);
  const last = tries.at(-1);
  return Math.max(
    0,
    same === undefined ? 0 : same.at + pace.sameKeysMilliseconds - at,
    last === undefined ? 0 : last.at + pace.anyKeysMilliseconds - at,
  );
}

const MOST_RETRY_MILLISECONDS = 3_600_000;

/** How long to wait after so many contacts in a row that led nowhere. */
export function retryAfter(failures: number, pace: Pace): number {
  return Math.min(pace.firstRetryMilliseconds * 2 ** Math.min(failures - 1, 20), MOST_RETRY_MILLISECONDS);
}

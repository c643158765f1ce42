import { PURPOSE } from "../store/records.ts";
import type { Journal } from "./journal.ts";

/** How often a meter may be tried with keys it may not hold. */
export interface Pace {
  /** Between two tries with the same keys: an hour is the slower of the limits known. */
  readonly sameKeysMilliseconds: number;
  /** Between any two tries that were refused. */
  readonly anyKeysMilliseconds: number;
  /** After the first contact that led nowhere; doubled each time, up to an hour. */
  readonly firstRetryMilliseconds: number;
  /** After each third try in a row that was refused: meters with port protection lock up after a few. */
  readonly lockOutMilliseconds: number;
}

/** So many refusals in a row may pass before a longer pause: the fewest that meters are known to allow. */
const TRIES_IN_A_ROW = 3;

/** For meters in the field. */
export const FIELD_PACE: Pace = {
  sameKeysMilliseconds: 3_600_000,
  anyKeysMilliseconds: 20_000,
  firstRetryMilliseconds: 1000,
  lockOutMilliseconds: 900_000,
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
  const least = Math.min(...all.map((candidate) => waitFor(journal, candidate, at, pace)));
  if (least > 0) return { milliseconds: least };
  const due = all.filter((candidate) => waitFor(journal, candidate, at, pace) === 0);
  // Of those whose turn it is the one that has waited longest: none may keep another from its turn.
  const [first] = due.sort((a, b) => lastTry(journal, a) - lastTry(journal, b));
  return { candidate: first as Candidate };
}

function lastTry({ tries }: Journal, { GUEK, GAK }: Candidate): number {
  return tries.findLast((tried) => tried.GUEK === GUEK && tried.GAK === GAK)?.at ?? Number.NEGATIVE_INFINITY;
}

function waitFor(journal: Journal, candidate: Candidate, at: number, pace: Pace): number {
  return Math.max(lastTry(journal, candidate) + pace.sameKeysMilliseconds - at, spacingLeft(journal, at, pace));
}

/** Milliseconds until a meter that has refused is tried with any keys; 0 where it may be. */
export function spacingLeft(
  { tries, failures }: Pick<Journal, "tries" | "failures">,
  at: number,
  pace: Pick<Pace, "anyKeysMilliseconds" | "lockOutMilliseconds">,
): number {
  const last = tries.at(-1);
  const inARow = failures > 0 && failures % TRIES_IN_A_ROW === 0;
  const spacing = inARow ? Math.max(pace.lockOutMilliseconds, pace.anyKeysMilliseconds) : pace.anyKeysMilliseconds;
  return last === undefined ? 0 : Math.max(0, last.at + spacing - at);
}

const MOST_RETRY_MILLISECONDS = 3_600_000;

/** How long to wait after so many contacts in a row that led nowhere. */
export function retryAfter(failures: number, pace: Pace): number {
  return Math.min(pace.firstRetryMilliseconds * 2 ** Math.min(failures - 1, 20), MOST_RETRY_MILLISECONDS);
}

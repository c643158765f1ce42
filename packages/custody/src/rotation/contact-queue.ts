import type { DueRotation, RotationRecords } from "../store/store.ts";

/** How long a meter that was handed out is not handed out again: its contact takes seconds. */
const HANDED_OUT_MILLISECONDS = 60_000;
/** Rotations under way that are looked through for those whose turn it is. */
const MOST_UNDER_WAY = 5000;
const HOUR_MILLISECONDS = 3_600_000;
/** What may have gathered while nobody asked, as a part of an hour's. */
const GATHERED = 1 / 60;

/** Which meters are left out. */
export interface Taking {
  readonly isStopped?: boolean;
  readonly isResting?: (systemTitle: string) => boolean;
}

/**
 * Whose turn it is to be contacted, for rotations or for enrolments: those under way first, since a meter between two keys is the one at risk; then
 * those that wait, by risk, no faster than the rate.
 *
 * It lives in memory. A process that starts anew asks journals again, each of which says how long to wait.
 */
export class ContactQueue {
  readonly #records: Pick<RotationRecords, "due">;
  readonly #now: () => number;
  /** Not before. */
  readonly #resting = new Map<string, number>();
  /** Handed out at the cost of the rate; when nobody came for them they are handed out again for nothing. */
  readonly #paid = new Set<string>();
  #allowance = 1;
  #at: number;

  constructor(records: Pick<RotationRecords, "due">, now: () => number) {
    this.#records = records;
    this.#now = now;
    this.#at = now();
  }

  /**
   * System titles of up to `limit` meters; each is not given again for a while.
   *
   * `isStopped`: nothing begins that is not urgent; what has begun goes on. `isResting`: which meters rest for who asks.
   */
  async take(
    limit: number,
    perHour: number,
    { isStopped = false, isResting }: Taking = {},
  ): Promise<readonly string[]> {
    const now = this.#now();
    const gathered = Math.max(1, perHour * GATHERED);
    this.#allowance = Math.min(gathered, this.#allowance + (Math.max(0, now - this.#at) / HOUR_MILLISECONDS) * perHour);
    this.#at = now;
    const due = await this.#records.due(MOST_UNDER_WAY, limit + this.#paid.size);
    const waiting = new Set(due.filter(({ begun }) => !begun).map(({ systemTitle }) => systemTitle));
    // What was paid for has begun, or has come to its end since: the next time is another one.
    for (const title of this.#paid) if (!waiting.has(title)) this.#paid.delete(title);
    const taken: string[] = [];
    for (const one of due) {
      if (taken.length >= limit) break;
      if (isStopped && !one.begun && one.isUrgent !== true) continue;
      if (isResting?.(one.systemTitle) === true) continue;
      if (this.#mayGo(one, now)) taken.push(one.systemTitle);
    }
    return taken;
  }

  rest(title: string, milliseconds: number): void {
    this.#resting.set(title, this.#now() + milliseconds);
  }

  /** Forgets rests that are over. */
  sweep(): void {
    const now = this.#now();
    for (const [title, until] of this.#resting) if (until <= now) this.#resting.delete(title);
  }

  #mayGo({ systemTitle, begun }: DueRotation, now: number): boolean {
    if ((this.#resting.get(systemTitle) ?? 0) > now) return false;
    if (!begun && !this.#paid.has(systemTitle)) {
      if (this.#allowance < 1) return false;
      this.#allowance -= 1;
      this.#paid.add(systemTitle);
    }
    this.#resting.set(systemTitle, now + HANDED_OUT_MILLISECONDS);
    return true;
  }
}

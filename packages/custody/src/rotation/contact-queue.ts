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
  /** Who asks: where several do, each gets its part. */
  readonly asker?: string;
}

/** Whoever has asked within so long is one of those who share what is due. */
const ASKING_MILLISECONDS = 60_000;
/** How long a meter that came to nothing with one of them is left to the others. */
const OTHERS_MILLISECONDS = 2 * HANDED_OUT_MILLISECONDS;
/** What is looked at to tell everybody's part from. */
const SHARED = 1000;

/**
 * Whose turn it is to be contacted, for rotations or for enrolments: those under way first, since a meter between two keys is the one at risk; then
 * those that wait, by risk, no faster than the rate.
 *
 * Where several head-ends ask, none has more of what is due in hand than its part of it, and a meter that one of them was given goes to
 * the others before it goes to that one again: who takes and does nothing holds up nobody else's work.
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
  /** When each last asked, by name. */
  readonly #askers = new Map<string, number>();
  /** When a meter was last given to each, by title and name. */
  readonly #given = new Map<string, Map<string, number>>();
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
    { isStopped = false, isResting, asker = "" }: Taking = {},
  ): Promise<readonly string[]> {
    const now = this.#now();
    const gathered = Math.max(1, perHour * GATHERED);
    this.#allowance = Math.min(gathered, this.#allowance + (Math.max(0, now - this.#at) / HOUR_MILLISECONDS) * perHour);
    this.#at = now;
    this.#askers.set(asker, now);
    const others = [...this.#askers].flatMap(([name, at]) =>
      name !== asker && now - at < ASKING_MILLISECONDS ? [name] : [],
    );
    const most = others.length > 0 ? Math.max(limit, SHARED) : limit;
    const due = await this.#records.due(MOST_UNDER_WAY, most + this.#paid.size);
    const waiting = new Set(due.filter(({ begun }) => !begun).map(({ systemTitle }) => systemTitle));
    // What was paid for has begun, or has come to its end since: the next time is another one.
    for (const title of this.#paid) if (!waiting.has(title)) this.#paid.delete(title);
    const taken: string[] = [];
    const open = due.filter(
      ({ systemTitle, begun, isUrgent }) =>
        (begun || !isStopped || isUrgent === true) &&
        isResting?.(systemTitle) !== true &&
        (this.#resting.get(systemTitle) ?? 0) <= now,
    );
    const room = others.length === 0 ? limit : Math.min(limit, this.#partOf(asker, open.length, others, now));
    for (const one of open) {
      if (taken.length >= room) break;
      if (!this.#isTurnOf(asker, one.systemTitle, others, now) || !this.#mayGo(one, now)) continue;
      taken.push(one.systemTitle);
      const given = this.#given.get(one.systemTitle) ?? new Map<string, number>();
      this.#given.set(one.systemTitle, given.set(asker, now));
    }
    return taken;
  }

  /** How many more a principal may be given, of `open` and of what was given out just now. */
  #partOf(asker: string, open: number, others: readonly string[], now: number): number {
    let own = 0;
    let all = 0;
    for (const given of this.#given.values()) {
      const last = Math.max(...given.values());
      if (now - last >= HANDED_OUT_MILLISECONDS) continue;
      all += 1;
      if (given.get(asker) === last) own += 1;
    }
    return Math.max(0, Math.ceil((open + all) / (others.length + 1)) - own);
  }

  /** Whether each of the others has had it since this one. */
  #isTurnOf(asker: string, title: string, others: readonly string[], now: number): boolean {
    const given = this.#given.get(title);
    const own = given?.get(asker);
    if (own === undefined || now - own >= OTHERS_MILLISECONDS) return true;
    return others.every((name) => (given?.get(name) ?? Number.NEGATIVE_INFINITY) >= own);
  }

  rest(title: string, milliseconds: number): void {
    this.#resting.set(title, this.#now() + milliseconds);
  }

  /** Something else is wanted of these meters, of all where none is named: their journals say whether there is still to be waited. */
  wake(titles: readonly string[]): void {
    for (const title of titles) this.#resting.delete(title);
    if (titles.length === 0) this.#resting.clear();
  }

  /** Forgets rests that are over, and who asked or was given what long ago. */
  sweep(): void {
    const now = this.#now();
    for (const [name, at] of this.#askers) if (now - at >= ASKING_MILLISECONDS) this.#askers.delete(name);
    for (const [title, given] of this.#given)
      if (now - Math.max(...given.values()) >= OTHERS_MILLISECONDS) this.#given.delete(title);
    for (const [title, until] of this.#resting) if (until <= now) this.#resting.delete(title);
  }

  #mayGo({ systemTitle, begun }: DueRotation, now: number): boolean {
    if (!begun && !this.#paid.has(systemTitle)) {
      if (this.#allowance < 1) return false;
      this.#allowance -= 1;
      this.#paid.add(systemTitle);
    }
    this.#resting.set(systemTitle, now + HANDED_OUT_MILLISECONDS);
    return true;
  }
}

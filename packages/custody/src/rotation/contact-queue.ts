import type { DueRotation, RotationRecords } from "../store/store.ts";

/** How long a meter that was handed out is not handed out again: its contact takes seconds. */
const HANDED_OUT_MILLISECONDS = 60_000;
/** Rotations under way, of meters that do not rest, that are looked through for those whose turn it is. */
const MOST_UNDER_WAY = 5000;
/** Meters that are to be asked although no record says that anything is due: more are found again later. */
const MOST_WANTED = 5000;
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

/** Why a meter is left alone. */
interface Rest {
  /** Not before. */
  readonly until: number;
  /** When the newest was planned of what was known to wait there: what is planned after it ends the rest. */
  readonly plannedAt: number | undefined;
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
 * A meter rests for as long as its journals say, and takes no room of those that do not. What is planned for it meanwhile, whoever
 * plans, has it asked again: its journals say then whether there is still to be waited.
 *
 * It lives in memory. A process that starts anew asks journals again, each of which says how long to wait.
 */
export class ContactQueue {
  readonly #records: Pick<RotationRecords, "due">;
  readonly #now: () => number;
  readonly #resting = new Map<string, Rest>();
  /** To be asked once, whatever the records say. */
  readonly #wanted = new Set<string>();
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
    const resting = [...this.#resting].flatMap(([title, { until }]) => (until > now ? title : []));
    const held = this.#paid.size + Math.min(resting.length, MOST_UNDER_WAY);
    const recorded = await this.#records.due(MOST_UNDER_WAY, most + held, resting);
    const due = [...recorded, ...this.#wantedBeside(recorded)];
    const waiting = new Set(due.filter(({ begun }) => !begun).map(({ systemTitle }) => systemTitle));
    // What was paid for has begun, or has come to its end since: the next time is another one.
    for (const title of this.#paid) if (!waiting.has(title)) this.#paid.delete(title);
    const taken: string[] = [];
    const open = due.filter(
      (one) =>
        (one.begun || !isStopped || one.isUrgent === true) &&
        isResting?.(one.systemTitle) !== true &&
        !this.#isResting(one, now),
    );
    const room = others.length === 0 ? limit : Math.min(limit, this.#partOf(asker, open.length, others, now));
    for (const one of open) {
      if (taken.length >= room) break;
      if (!this.#isTurnOf(asker, one.systemTitle, others, now) || !this.#mayGo(one, now)) continue;
      taken.push(one.systemTitle);
      this.#wanted.delete(one.systemTitle);
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

  /** These meters are to be asked: their journals say what for. */
  want(titles: readonly string[]): void {
    for (const title of titles.slice(0, MOST_WANTED - this.#wanted.size)) this.#wanted.add(title);
  }

  #wantedBeside(recorded: readonly DueRotation[]): readonly DueRotation[] {
    const known = new Set(recorded.map(({ systemTitle }) => systemTitle));
    return [...this.#wanted].flatMap((systemTitle) => (known.has(systemTitle) ? [] : { systemTitle, begun: false }));
  }

  rest(title: string, milliseconds: number): void {
    const plannedAt = this.#resting.get(title)?.plannedAt;
    this.#resting.set(title, { until: this.#now() + milliseconds, plannedAt });
  }

  /** Forgets rests that are over, and who asked or was given what long ago. */
  sweep(): void {
    const now = this.#now();
    for (const [name, at] of this.#askers) if (now - at >= ASKING_MILLISECONDS) this.#askers.delete(name);
    for (const [title, given] of this.#given)
      if (now - Math.max(...given.values()) >= OTHERS_MILLISECONDS) this.#given.delete(title);
    for (const [title, { until }] of this.#resting) if (until <= now) this.#resting.delete(title);
  }

  #isResting({ systemTitle, plannedAt }: DueRotation, now: number): boolean {
    const rest = this.#resting.get(systemTitle);
    if (rest === undefined || rest.until <= now) return false;
    return plannedAt === undefined || plannedAt <= (rest.plannedAt ?? Number.NEGATIVE_INFINITY);
  }

  #mayGo({ systemTitle, begun, plannedAt }: DueRotation, now: number): boolean {
    if (!begun && !this.#paid.has(systemTitle)) {
      if (this.#allowance < 1) return false;
      this.#allowance -= 1;
      this.#paid.add(systemTitle);
    }
    this.#resting.set(systemTitle, { until: now + HANDED_OUT_MILLISECONDS, plannedAt });
    return true;
  }
}

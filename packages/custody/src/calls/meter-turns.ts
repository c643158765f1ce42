import type { NextContact } from "@meterkeep/api/custodian";

/** A contact in which nothing goes on for so long is kept for nobody who waits. */
const HELD_MILLISECONDS = 120_000;
/** How soon whoever waits for a contact of another's asks again. */
export const BUSY_MILLISECONDS = 5000;
/** So long after it was to ask again its place among those who wait is kept, and no longer: it may never come. */
const LATE_MILLISECONDS = 15_000;

interface Holder {
  readonly name: string;
  /** Since when nothing has gone on. */
  since: number;
  /** It asked for another contact in place of its own: what goes on in that keeps the meter no longer. */
  isAgain: boolean;
}

interface Turn {
  holder: Holder | undefined;
  /** Who waits and comes before others meanwhile, by name, in the order in which they asked first. */
  readonly waiting: Map<string, { readonly from: number; readonly until: number }>;
}

/**
 * Whose turn a meter's contact is, where several principals ask for it. Whoever has it keeps it while something goes on in it, and
 * not by asking again; who waits comes before who has had it, and in the order of asking.
 */
export class MeterTurns {
  readonly #now: () => number;
  readonly #turns = new Map<string, Turn>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether a principal may begin a contact, not while a step of the one before is under way; where it may not, it waits from now on. */
  mayBegin(systemTitle: string, name: string, isBusy = false): boolean {
    const turn = this.#turns.get(systemTitle);
    if (turn === undefined) return !isBusy;
    const isHeld = isBusy || this.#isHeld(turn);
    if (isHeld && turn.holder?.name === name) return !isBusy;
    const now = this.#now();
    const [first] = [...turn.waiting].find(([, { from, until }]) => from <= now && now < until) ?? [];
    if (!isHeld && (first === undefined || first === name)) return true;
    turn.waiting.set(name, { from: now, until: now + BUSY_MILLISECONDS + LATE_MILLISECONDS });
    return false;
  }

  /** Begins one for whom it is the turn of; where that comes to nothing, or is put off, the next may. */
  async taking<T extends NextContact | undefined>(title: string, name: string, begin: () => Promise<T>): Promise<T> {
    let next: T | undefined;
    try {
      next = await begin();
      return next;
    } finally {
      if (next?.kind === "connect") this.#begun(title, name);
      else this.over(title);
      // Whoever is put off has its place when the time is over: who is the quicker then is no matter. Until then others hear from the journal
      // what there is to wait for, which may be hours, or nothing any more.
      if (next?.kind === "wait") {
        const from = this.#now() + next.milliseconds;
        this.#turnOf(title).waiting.set(name, { from, until: from + LATE_MILLISECONDS });
      }
    }
  }

  /** Something goes on in the contact that is open. */
  goesOn(systemTitle: string): void {
    const holder = this.#turns.get(systemTitle)?.holder;
    if (holder !== undefined && !holder.isAgain) holder.since = this.#now();
  }

  /** It is over. */
  over(systemTitle: string): void {
    const turn = this.#turns.get(systemTitle);
    if (turn === undefined) return;
    turn.holder = undefined;
    if (turn.waiting.size === 0) this.#turns.delete(systemTitle);
  }

  /** Forgets those who did not come. */
  sweep(): void {
    const now = this.#now();
    for (const [title, turn] of this.#turns) {
      for (const [name, { until }] of turn.waiting) if (until <= now) turn.waiting.delete(name);
      if (turn.holder === undefined && turn.waiting.size === 0) this.#turns.delete(title);
    }
  }

  #begun(systemTitle: string, name: string): void {
    const turn = this.#turnOf(systemTitle);
    turn.waiting.delete(name);
    if (this.#isHeld(turn) && turn.holder?.name === name) turn.holder.isAgain = true;
    else turn.holder = { name, since: this.#now(), isAgain: false };
  }

  #turnOf(systemTitle: string): Turn {
    const turn = this.#turns.get(systemTitle) ?? { holder: undefined, waiting: new Map() };
    this.#turns.set(systemTitle, turn);
    return turn;
  }

  #isHeld({ holder }: Turn): boolean {
    return holder !== undefined && this.#now() - holder.since < HELD_MILLISECONDS;
  }
}

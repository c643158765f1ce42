/** What the custodian answers, or is said in its place, where it takes no more work now: whose turn it was has nothing to do with that. */
const WITHOUT_ROOM: ReadonlySet<string> = new Set([
  "too-many-open",
  "custodian-closing",
  "custodian-unreachable",
  "channel-closed",
]);

/** Whether a session that ended with this had no room at the custodian. */
export function isWithoutRoom(code: string | undefined): boolean {
  return code !== undefined && WITHOUT_ROOM.has(code);
}

/** How long nothing is leased after a refusal; doubled while nothing else comes of it, up to the ceiling. */
const REST_MILLISECONDS = { first: 500, ceiling: 8_000 } as const;
/** Of what is asked for at once, so much more is dared in a round in which everything had room; one in any case. */
const GROWTH = 1 / 8;

/** When a session began: what it finds says nothing of what was learnt meanwhile. */
export type Round = number & { readonly __brand: "Round" };

/**
 * How much of an island's custodian this worker may take: sessions at once. It is halved when the custodian refuses one for want of room,
 * once for all that began before that was known, and grows with every session that had room, so that several head-ends find
 * what each may have without speaking with each other. Never less than one: that is the probe by which room is noticed.
 *
 * Kept in memory alone. What is asked on demand does not wait for it, and teaches it like everything else.
 */
export class CustodianRoom {
  readonly #most: number;
  #places: number;
  #round = 0;
  #begun = 0;
  #refusals = 0;
  #shutUntil = Number.NEGATIVE_INFINITY;

  /** `most` is what the worker would have where there is room for all: whole sessions, at least one. */
  constructor(most: number) {
    this.#most = most;
    this.#places = most;
  }

  /** Sessions at once, whole ones. */
  get places(): number {
    return Math.floor(this.#places);
  }

  /** Until then nothing is leased that nobody has asked for; milliseconds, in the past where all is well. */
  get shutUntil(): number {
    return this.#shutUntil;
  }

  /** A session is about to ask for its place. It ends with {@link ended}. */
  begin(): Round {
    this.#begun += 1;
    return this.#round as Round;
  }

  /** A session has ended, with no word of the custodian's room. */
  ended(): void {
    this.#begun -= 1;
  }

  /** There was room for it. */
  granted(round: Round): void {
    if (round !== this.#round) return;
    this.#refusals = 0;
    this.#places = Math.min(this.#most, this.#places + Math.max(1 / this.#places, GROWTH));
  }

  /** There was none. @returns when it may come again, milliseconds */
  refused(round: Round, now: number): number {
    const { first, ceiling } = REST_MILLISECONDS;
    if (round === this.#round) {
      this.#round += 1;
      this.#places = Math.max(1, Math.floor(Math.min(this.#places, this.#begun) / 2));
      this.#shutUntil = now + Math.min(ceiling, first * 2 ** Math.min(30, this.#refusals));
      this.#refusals += 1;
    }
    return Math.max(this.#shutUntil, now + first);
  }
}

import type { Committer } from "../store/committer.ts";
import type { SetupPlace } from "../store/records.ts";

/** How many counters are reserved at once: a session takes about twenty. */
export const COUNTER_BLOCK = 64;

/**
 * The first counter used with a meter whose history is not known: above what a factory's tests may have used, never 0.
 */
export const FIRST_COUNTER = 256;

const MOST_LINES = 50_000;

interface Line {
  readonly keyVersion: number;
  next: number;
  readonly end: number;
}

/**
 * The one source of invocation counters: one line for each security setup, over all sessions, head-ends and key
 * versions, since meters keep one receive counter for each setup, and a refusal of old keys proves something only where
 * its counter was above all others.
 *
 * A counter is given out once, and only out of a block whose reservation is durable. What a process had reserved and
 * not used is skipped when it ends.
 */
export class SendCounters {
  readonly #committer: Committer;
  /** In the order of their last reservation, the oldest first. */
  readonly #lines = new Map<string, Line>();
  readonly #floors = new Map<string, number>();

  constructor(committer: Committer) {
    this.#committer = committer;
  }

  /** Takes `count` counters in a row for use under a version of the unicast key; gives the first. */
  async take(place: SetupPlace, keyVersion: number, count: number): Promise<number> {
    return this.takeAtHand(place, keyVersion, count) ?? (await this.#reserve(place, keyVersion, count));
  }

  /** The same where they are reserved already, else undefined. */
  takeAtHand(place: SetupPlace, keyVersion: number, count: number): number | undefined {
    const line = this.#lines.get(nameOf(place));
    if (line === undefined || line.keyVersion !== keyVersion || line.next + count > line.end) return undefined;
    const first = line.next;
    line.next += count;
    return first;
  }

  /** The next counters reserved are not below this. */
  raise(place: SetupPlace, atLeast: number): void {
    this.#lines.delete(nameOf(place));
    this.#floors.set(nameOf(place), Math.max(atLeast, this.#floors.get(nameOf(place)) ?? 0));
  }

  /** A counter that is above all that were given out, where one is at hand: to judge hints by. */
  known(place: SetupPlace): number | undefined {
    return this.#lines.get(nameOf(place))?.next;
  }

  async #reserve(place: SetupPlace, keyVersion: number, count: number): Promise<number> {
    const name = nameOf(place);
    const reserved = Math.max(COUNTER_BLOCK, count);
    const atLeast = Math.max(FIRST_COUNTER, this.#floors.get(name) ?? 0);
    const { results } = await this.#committer.submit({
      writes: [{ kind: "reserve-counters", place, keyVersion, count: reserved, atLeast }],
    });
    const { from } = results[0] as { readonly from: number };
    // Another reservation may have come between: what was left of its block is skipped, nothing is used twice.
    this.#lines.delete(name);
    this.#lines.set(name, { keyVersion, next: from + count, end: from + reserved });
    this.#floors.delete(name);
    if (this.#lines.size > MOST_LINES) this.#lines.delete(this.#lines.keys().next().value as string);
    return from;
  }
}

function nameOf({ systemTitle, setup }: SetupPlace): string {
  return `${systemTitle}/${setup}`;
}

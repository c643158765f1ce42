import { INTERVAL_SECONDS, type UnixSeconds } from "../time/calendar.ts";

/** A change of the supply relay. */
export interface RelayTransition {
  readonly at: UnixSeconds;
  readonly connected: boolean;
}

/** When the supply was on. Connected before the first transition. */
export class RelayHistory {
  readonly #transitions: RelayTransition[];

  /** @param transitions oldest first, for example from non-volatile memory. */
  constructor(transitions: readonly RelayTransition[] = []) {
    this.#transitions = [...transitions];
  }

  get transitions(): readonly RelayTransition[] {
    return this.#transitions;
  }

  /** Adds a transition; returns false where the relay already stood so. Transitions come in the order of time. */
  add(transition: RelayTransition): boolean {
    const last = this.#transitions.at(-1);
    if ((last?.connected ?? true) === transition.connected) return false;
    this.#transitions.push(transition);
    return true;
  }

  connectedAt(at: UnixSeconds): boolean {
    for (let i = this.#transitions.length - 1; i >= 0; i--) {
      const transition = this.#transitions[i];
      if (transition !== undefined && transition.at <= at) return transition.connected;
    }
    return true;
  }

  /** Whether the relay moves within the interval (its start counts as before it). */
  movesIn(interval: number): boolean {
    const from = interval * INTERVAL_SECONDS;
    const to = from + INTERVAL_SECONDS;
    return this.#transitions.some(({ at }) => at > from && at < to);
  }

  /** The spans between two instants in which the supply was on. */
  *connectedSpans(from: UnixSeconds, to: UnixSeconds): Generator<readonly [UnixSeconds, UnixSeconds]> {
    let start = from;
    let connected = this.connectedAt(from);
    for (const transition of this.#transitions) {
      if (transition.at <= from || transition.at >= to) continue;
      if (connected) yield [start, transition.at];
      start = transition.at;
      connected = transition.connected;
    }
    if (connected && to > start) yield [start, to];
  }
}

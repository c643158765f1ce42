import { accepted, missing, type ReceiveWindow, windowOf } from "../protocol/receive-window.ts";
import type { HeldWindow, ReceiveWindows } from "../protocol/receive-windows.ts";
import type { SendCounters, SendLine } from "../protocol/send-counters.ts";
import type { MeterFile, SetupPlace, WindowRecord } from "../store/records.ts";

/** What a line needs. */
export interface LineDependencies {
  readonly sendCounters: Pick<SendCounters, "take" | "atHand" | "takeAtHand" | "isHeld">;
  readonly receiveWindows: Pick<ReceiveWindows, "learn" | "hold">;
}

/** Counters that a meter has used, and those of them of which nothing was heard. */
export interface SealedAnswers {
  readonly sealed: number;
  readonly unheard?: number;
}

/**
 * One association's part of the counters of a security setup, in both directions. Under global keys any association of a
 * meter opens what was meant for another, so that all of them share one window of what was received, and one order of what
 * was sent: an answer belongs to a request of this association for certain only while nobody else has taken a counter since
 * its first. What was sealed before that is dead once the meter has proven itself, and what was answered before is below
 * the floor.
 */
export class Line {
  readonly place: SetupPlace;
  readonly keyVersion: number;
  readonly #dependencies: LineDependencies;
  readonly #window: HeldWindow;
  /** What it takes from; one that was forgotten meanwhile gives nothing. */
  #sending: SendLine | undefined;
  /** What came under the dedicated key, which counts from 0. */
  #own: ReceiveWindow | undefined;
  #first: number | undefined;
  /** Nothing below the meter's proof, which answered a fresh challenge, is new. */
  #floor = 0;
  /** The first counter of its proof. */
  #proof: number | undefined;
  /** What was accepted here alone, where the counters of the meter's proof were not new. */
  #private: ReceiveWindow | undefined;
  #isDoubtful = false;

  /** `file` is the meter's, as just loaded. */
  constructor(
    dependencies: LineDependencies,
    place: SetupPlace,
    keyVersion: number,
    file: Pick<MeterFile, "windows" | "accepted">,
  ) {
    this.#dependencies = dependencies;
    this.place = place;
    this.keyVersion = keyVersion;
    dependencies.receiveWindows.learn(file.windows, file.accepted);
    this.#window = dependencies.receiveWindows.hold(place, keyVersion);
  }

  /** The first counter it took. */
  get first(): number {
    return this.#first ?? 0;
  }

  /**
   * The counters of a fresh proof were not new: the meter's counter is lower than it was, so that what it sends may be what
   * it sent before, or somebody has shown the proof elsewhere first. It is read then as if it were alone, and nothing rests
   * on it; the shared window is left as it is.
   */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** Whether nobody else has taken a counter since its first. */
  get isAlone(): boolean {
    const { sendCounters } = this.#dependencies;
    return this.#first !== undefined && sendCounters.isHeld(this.place, this, this.#first);
  }

  /** Whether all counters below one were given out, to whomever. */
  hasGivenBelow(counter: number): boolean {
    const sending = this.#dependencies.sendCounters.atHand(this.place);
    return sending !== undefined && counter <= sending.next;
  }

  /** Takes counters in a row, durably reserved; gives the first. @throws CustodyError as `SendCounters.take` */
  async take(count: number, canWait = false): Promise<number> {
    const { sendCounters } = this.#dependencies;
    const first = await sendCounters.take(this.place, this.keyVersion, count, canWait, this);
    this.#sending = sendCounters.atHand(this.place);
    this.#first ??= first;
    return first;
  }

  /** The same where they are reserved already. */
  takeAtHand(count: number): number | undefined {
    const sending = this.#sending;
    return sending && this.#dependencies.sendCounters.takeAtHand(sending, this.keyVersion, count, this);
  }

  /** The meter has proven itself; these are the counters of its part in that, in order, under the unicast key. */
  proven(serverCounters: readonly number[]): void {
    this.#proof ??= serverCounters[0];
    for (const counter of serverCounters) {
      if (!this.#window.accept(counter)) this.#isDoubtful = true;
      this.#floor = Math.max(this.#floor, counter);
    }
  }

  /**
   * How many counters the meter has used under this key since one of them, and before its proof here, and of how many of them nothing
   * was heard, which is absent where they are more than a window tells apart; undefined where its counters go back.
   */
  unheardSince(counter: number): SealedAnswers | undefined {
    const record = this.#window.record();
    if (this.#proof === undefined || this.#isDoubtful || record === undefined) return undefined;
    const unheard = missing(windowOf(record.highest, record.seen), counter, this.#proof);
    return { sealed: Math.max(0, this.#proof - counter - 1), ...(unheard !== undefined && { unheard }) };
  }

  /** Remembers the counter of an authentic APDU under the unicast key and says whether it is new. */
  accept(counter: number): boolean {
    if (counter <= this.#floor) return false;
    if (!this.#isDoubtful) return this.#window.accept(counter);
    const window = accepted(this.#private, counter);
    if (window === undefined) return false;
    this.#private = window;
    return true;
  }

  /** The same under the dedicated key of the association, which nobody else has. */
  acceptDedicated(counter: number): boolean {
    const window = accepted(this.#own, counter);
    if (window === undefined) return false;
    this.#own = window;
    return true;
  }

  /** The shared window as it must be stored. */
  record(): WindowRecord | undefined {
    return this.#window.record();
  }

  [Symbol.dispose](): void {
    this.#window[Symbol.dispose]();
  }
}

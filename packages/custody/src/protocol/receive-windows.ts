import type { AcceptedMark, SetupPlace, WindowRecord } from "../store/records.ts";
import { accepted, type ReceiveWindow, united, windowOctets, windowOf } from "./receive-window.ts";

const MOST_WINDOWS = 50_000;
/**
 * How far a window goes, or for how long, before the ledger has another mark of it: what was accepted since the last one is all
 * that can be brought once more by who puts an older row back. A session takes about a dozen counters; a meter that pushes each
 * quarter of an hour has four marks a day.
 */
export const MARK_COUNTERS = 64;
export const MARK_MILLISECONDS = 6 * 3_600_000;
/** How many that somebody holds are passed over to find one that may be forgotten. */
const MOST_PASSED_OVER = 16;

/** One window, for as long as somebody holds it: of all holders and of pushes the same. */
export interface HeldWindow {
  /** Remembers a counter and says whether it is new. */
  accept(counter: number): boolean;
  /** The window as it must be stored, where anything was accepted. */
  record(): WindowRecord | undefined;
  /** Gives it back; it may then be forgotten. */
  [Symbol.dispose](): void;
}

class MeterWindow {
  readonly place: SetupPlace;
  readonly keyVersion: number;
  window: ReceiveWindow | undefined;
  /** What the ledger knows. */
  marked: Pick<AcceptedMark, "highest" | "at"> | undefined;
  holders = 0;

  constructor({ utility, island, systemTitle, setup }: SetupPlace, keyVersion: number, window?: ReceiveWindow) {
    this.place = { utility, island, systemTitle, setup };
    this.keyVersion = keyVersion;
    this.window = window;
  }

  accept(counter: number): boolean {
    const window = accepted(this.window, counter);
    if (window === undefined) return false;
    this.window = window;
    return true;
  }

  get record(): WindowRecord | undefined {
    const { place, keyVersion, window } = this;
    return window && { ...place, keyVersion, highest: window.highest, seen: windowOctets(window) };
  }
}

/**
 * The counters accepted from meters, for each version of the unicast key: the same for sessions, contacts and pushes, so
 * that none is taken twice. In memory they are ahead of the store; who gives out a push makes `records` durable before.
 *
 * What came without a tag is told apart under the negative key version: its counter could be forged, and a forged one
 * must not shut out authentic ones.
 */
export class ReceiveWindows {
  readonly #windows = new Map<string, MeterWindow>();

  /**
   * Takes over what is stored, and the ledger's marks of it. Memory is ahead of the store, but for what was learnt of a row that
   * somebody had put back and of entries that were found since to be nobody's: what either has accepted stays accepted.
   */
  learn(stored: readonly WindowRecord[], marks: readonly AcceptedMark[]): void {
    for (const { highest, seen, keyVersion, ...place } of stored) {
      const name = nameOf(place, keyVersion);
      const known = this.#windows.get(name) ?? new MeterWindow(place, keyVersion);
      const window = windowOf(highest, seen);
      known.window = known.window === undefined ? window : united(known.window, window);
      known.marked ??= marks.find((mark) => mark.setup === place.setup && mark.keyVersion === keyVersion);
      if (!this.#windows.has(name)) this.#keep(name, known);
    }
  }

  /**
   * Those of these windows that the ledger has to have a mark of now, which it has once `marked` says so. Of what came without a
   * tag it has none: anybody could raise it.
   */
  due(windows: readonly WindowRecord[], at: number): WindowRecord[] {
    return windows.filter(({ keyVersion, highest, ...place }) => {
      const window = this.#windows.get(nameOf(place, keyVersion));
      if (window === undefined || keyVersion <= 0) return false;
      const { marked } = window;
      return (
        marked === undefined ||
        highest - marked.highest >= MARK_COUNTERS ||
        (highest > marked.highest && at - marked.at >= MARK_MILLISECONDS)
      );
    });
  }

  /** The ledger has marks of these windows, of this moment. */
  marked(windows: readonly WindowRecord[], at: number): void {
    for (const { keyVersion, highest, ...place } of windows) {
      const window = this.#windows.get(nameOf(place, keyVersion));
      if (window !== undefined && (window.marked?.highest ?? 0) <= highest) window.marked = { highest, at };
    }
  }

  /** Forgets a meter whose keys others have taken the place of. */
  forget(systemTitle: string): void {
    for (const [name, { place }] of this.#windows) if (place.systemTitle === systemTitle) this.#windows.delete(name);
  }

  /** Holds a window, which must have been learnt: it is not forgotten until it is given back. */
  hold(place: SetupPlace, keyVersion: number): HeldWindow {
    const name = nameOf(place, keyVersion);
    const held = this.#windows.get(name) ?? new MeterWindow(place, keyVersion);
    held.holders += 1;
    this.#keep(name, held);
    let isHeld = true;
    return {
      accept: (counter) => held.accept(counter),
      record: () => held.record,
      [Symbol.dispose]: () => {
        if (isHeld) held.holders -= 1;
        isHeld = false;
        if (held.holders === 0 && held.window === undefined && this.#windows.get(name) === held)
          this.#windows.delete(name);
      },
    };
  }

  /** Remembers a counter and says whether it is new. */
  accept(place: SetupPlace, keyVersion: number, counter: number): boolean {
    const name = nameOf(place, keyVersion);
    const window = this.#windows.get(name) ?? new MeterWindow(place, keyVersion);
    if (!window.accept(counter)) return false;
    this.#keep(name, window);
    return true;
  }

  #keep(name: string, window: MeterWindow): void {
    this.#windows.delete(name);
    this.#windows.set(name, window);
    if (this.#windows.size > MOST_WINDOWS) this.#forgetOldest();
  }

  /** What nobody holds is durable by now as far as pushes go: whoever accepted one has waited for it. */
  #forgetOldest(): void {
    let passed = 0;
    for (const [name, window] of this.#windows) {
      this.#windows.delete(name);
      if (window.holders === 0) return;
      this.#windows.set(name, window);
      passed += 1;
      if (passed === MOST_PASSED_OVER) return;
    }
  }
}

function nameOf({ systemTitle, setup }: SetupPlace, keyVersion: number): string {
  return `${systemTitle}/${setup}/${keyVersion}`;
}

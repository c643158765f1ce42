import type { SetupPlace, WindowRecord } from "../store/records.ts";
import { accepted, type ReceiveWindow, windowOctets, windowOf } from "./receive-window.ts";

const MOST_WINDOWS = 50_000;

/**
 * The counters accepted from meters, for each version of the unicast key. In memory they are ahead of the store; who
 * accepts makes `records` durable before it gives anything out.
 *
 * What came without a tag is told apart under the negative key version: its counter could be forged, and a forged one
 * must not shut out authentic ones.
 */
export class ReceiveWindows {
  readonly #windows = new Map<
    string,
    { readonly place: SetupPlace; readonly keyVersion: number; window: ReceiveWindow }
  >();

  /** Takes over what is stored, where nothing newer is known. */
  learn(stored: readonly WindowRecord[]): void {
    for (const { highest, seen, keyVersion, ...place } of stored) {
      const name = nameOf(place, keyVersion);
      if (!this.#windows.has(name)) this.#keep(name, place, keyVersion, windowOf(highest, seen));
    }
  }

  /** Forgets a meter whose keys others have taken the place of. */
  forget(systemTitle: string): void {
    for (const [name, { place }] of this.#windows) if (place.systemTitle === systemTitle) this.#windows.delete(name);
  }

  /** Remembers a counter and says whether it is new. */
  accept(place: SetupPlace, keyVersion: number, counter: number): boolean {
    const name = nameOf(place, keyVersion);
    const window = accepted(this.#windows.get(name)?.window, counter);
    if (window === undefined) return false;
    this.#keep(name, place, keyVersion, window);
    return true;
  }

  /** The window as it must be stored, where there is one. */
  record(place: SetupPlace, keyVersion: number): WindowRecord | undefined {
    const kept = this.#windows.get(nameOf(place, keyVersion));
    if (kept === undefined) return undefined;
    const { utility, island, systemTitle, setup } = kept.place;
    const { highest } = kept.window;
    return { utility, island, systemTitle, setup, keyVersion, highest, seen: windowOctets(kept.window) };
  }

  #keep(name: string, place: SetupPlace, keyVersion: number, window: ReceiveWindow): void {
    this.#windows.delete(name);
    this.#windows.set(name, { place, keyVersion, window });
    // The oldest are durable by now: whoever accepted them has waited for it.
    if (this.#windows.size > MOST_WINDOWS) this.#windows.delete(this.#windows.keys().next().value as string);
  }
}

function nameOf({ systemTitle, setup }: SetupPlace, keyVersion: number): string {
  return `${systemTitle}/${setup}/${keyVersion}`;
}

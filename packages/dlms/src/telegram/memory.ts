import { equalBytes } from "../bytes.ts";

/** A ciphered telegram as the memory sees it. */
export interface Observation {
  /** 16 upper-case hex digits. */
  readonly systemTitle: string;
  readonly counter: number;
  /** The whole ciphered APDU. */
  readonly apdu: Uint8Array;
  /** Its inner and outer clocks disagree: should another one with the same counter turn up, this is the forgery. */
  readonly inDoubt: boolean;
}

/** What the memory knows about a counter of a meter. */
export type Recollection =
  /** A counter higher than all before. */
  | { readonly kind: "new" }
  /** The very same telegram again. */
  | { readonly kind: "repeated" }
  /** The same counter with other octets: one of the two is a forgery. `inDoubt` speaks of the one that is known. */
  | { readonly kind: "conflict"; readonly inDoubt: boolean }
  /** A counter that the meter has passed; `highest` is where it stands. */
  | { readonly kind: "passed"; readonly highest: number };

/**
 * What a decoder remembers of telegrams it has accepted, so that it knows replays and forgeries. An implementation keeps
 * the highest counter of every meter for good and as many telegrams before it as it likes; it may keep digests instead
 * of octets. Both methods answer at once: a store that is slower is read before and written after decoding.
 */
export interface TelegramMemory {
  recall(observation: Observation): Recollection;
  /** Called for accepted telegrams only, so that what is refused cannot push the counter up. */
  remember(observation: Observation): void;
}

/** Telegrams kept of every meter by {@link createTelegramMemory}. */
export const REMEMBERED_PER_METER = 64;
/** Meters kept by {@link createTelegramMemory}; beyond that the one that was silent for longest is forgotten. */
export const REMEMBERED_METERS = 4096;

interface MeterMemory {
  highest: number;
  readonly telegrams: Map<number, { readonly apdu: Uint8Array; readonly inDoubt: boolean }>;
}

/** A memory that lasts as long as the program. */
export function createTelegramMemory(): TelegramMemory {
  const meters = new Map<string, MeterMemory>();
  return {
    recall({ systemTitle, counter, apdu }) {
      const meter = meters.get(systemTitle);
      if (meter === undefined || counter > meter.highest) return { kind: "new" };
      const known = meter.telegrams.get(counter);
      if (known === undefined) return { kind: "passed", highest: meter.highest };
      return equalBytes(known.apdu, apdu) ? { kind: "repeated" } : { kind: "conflict", inDoubt: known.inDoubt };
    },
    remember({ systemTitle, counter, apdu, inDoubt }) {
      const meter = meters.get(systemTitle) ?? { highest: counter, telegrams: new Map() };
      meters.delete(systemTitle);
      meters.set(systemTitle, meter);
      meter.highest = Math.max(meter.highest, counter);
      // A copy: the octets belong to the caller's buffer.
      meter.telegrams.set(counter, { apdu: apdu.slice(), inDoubt });
      forgetOldest(meter.telegrams, REMEMBERED_PER_METER);
      forgetOldest(meters, REMEMBERED_METERS);
    },
  };
}

function forgetOldest<Key>(map: Map<Key, unknown>, most: number): void {
  while (map.size > most) {
    const oldest = map.keys().next();
    if (oldest.done === true) return;
    map.delete(oldest.value);
  }
}

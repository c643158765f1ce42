import { equalBytes, fromHex, toHex } from "../bytes.ts";
import { DlmsError } from "../errors.ts";

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

/** A memory as plain data, to be kept in a file between two runs (docs/formats/telegram-memory.md). */
export interface TelegramMemorySnapshot {
  readonly format: typeof SNAPSHOT_FORMAT;
  readonly meters: Readonly<Record<string, MeterSnapshot>>;
}

interface MeterSnapshot {
  readonly highest: number;
  readonly telegrams: readonly { readonly counter: number; readonly apdu: string; readonly inDoubt: boolean }[];
}

/** The memory of this package. */
export interface KeptTelegramMemory extends TelegramMemory {
  snapshot(): TelegramMemorySnapshot;
}

const SNAPSHOT_FORMAT = "meterkeep-telegram-memory-1";

interface MeterMemory {
  highest: number;
  readonly telegrams: Map<number, { readonly apdu: Uint8Array; readonly inDoubt: boolean }>;
}

/** A memory that lasts as long as the program, and as long as its snapshot; it begins with one where it is given. */
export function createTelegramMemory(from?: TelegramMemorySnapshot): KeptTelegramMemory {
  const meters = new Map<string, MeterMemory>(
    Object.entries(from?.meters ?? {}).map(([title, meter]) => [title, restored(meter)]),
  );
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
    snapshot() {
      const entries = [...meters].map(([title, { highest, telegrams }]): [string, MeterSnapshot] => [
        title,
        {
          highest,
          telegrams: [...telegrams].map(([counter, one]) => ({ counter, apdu: toHex(one.apdu), inDoubt: one.inDoubt })),
        },
      ]);
      return { format: SNAPSHOT_FORMAT, meters: Object.fromEntries(entries) };
    },
  };
}

/**
 * Checks that parsed JSON is a snapshot and gives it its type.
 *
 * @throws DlmsError `invalid-value`; `bad-hex` where a telegram is not hex.
 */
export function parseTelegramMemory(json: unknown): TelegramMemorySnapshot {
  const { format, meters } = record(json, "it");
  if (format !== SNAPSHOT_FORMAT) fail("format", `must be "${SNAPSHOT_FORMAT}"`);
  for (const [title, meter] of Object.entries(record(meters, "meters"))) {
    const path = `meters.${title}`;
    if (!/^[0-9A-F]{16}$/.test(title)) fail(path, "is no system title of 16 upper-case hex digits");
    const { highest, telegrams } = record(meter, path);
    checkCounter(highest, `${path}.highest`);
    if (!Array.isArray(telegrams)) fail(`${path}.telegrams`, "must be a list");
    for (const [index, telegram] of telegrams.entries()) {
      const { counter, apdu, inDoubt } = record(telegram, `${path}.telegrams[${index}]`);
      checkCounter(counter, `${path}.telegrams[${index}].counter`);
      if (typeof apdu !== "string") fail(`${path}.telegrams[${index}].apdu`, "must be hex");
      fromHex(apdu);
      if (typeof inDoubt !== "boolean") fail(`${path}.telegrams[${index}].inDoubt`, "must be true or false");
    }
  }
  return json as TelegramMemorySnapshot;
}

function restored(meter: MeterSnapshot): MeterMemory {
  const telegrams = meter.telegrams.map(
    ({ counter, apdu, inDoubt }) => [counter, { apdu: fromHex(apdu), inDoubt }] as const,
  );
  return { highest: meter.highest, telegrams: new Map(telegrams) };
}

function record(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(path, "must be an object");
  return value as Readonly<Record<string, unknown>>;
}

function checkCounter(value: unknown, path: string): void {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 0xffff_ffff)
    fail(path, "must be a counter of 32 bits");
}

function fail(path: string, what: string): never {
  throw new DlmsError("invalid-value", `telegram memory: ${path} ${what}`);
}

function forgetOldest<Key>(map: Map<Key, unknown>, most: number): void {
  while (map.size > most) {
    const oldest = map.keys().next();
    if (oldest.done === true) return;
    map.delete(oldest.value);
  }
}

import { data, decode, fromHex } from "@meterkeep/dlms";
import { whole } from "../canonical/field.ts";
import { hashFraction, type Sha384 } from "../hash-fraction.ts";

/** What people sign of own moments, as members of a document. */
export const ownMomentFields = {
  /** Each meter has a moment of its own in the next whole window of so many minutes. */
  windowMinutes: whole(1, 720),
  /** How far the meters' clocks are ahead of UTC: 60 is Central European winter time. */
  offsetMinutes: whole(-840, 840),
} as const;

/** On which meter something is asked for, and when. */
export interface AskedOn {
  /** The custodian's own time, milliseconds since 1970 UTC. */
  readonly now: number;
  /** 16 upper-case hex digits. */
  readonly meter: string;
  readonly sha384: Sha384;
}

const MINUTE = 60_000;
/** A request is judged so long after it was written, at most: a window may have begun meanwhile. */
const UNDERWAY_MILLISECONDS = 30_000;
const WILD = 0xff;

/**
 * The own moment of a meter in the next whole window after now (MC-12): somewhere in it, to the second, as a hash of the meter and the
 * window says. Windows follow each other from 1970 on. Nobody can bring two meters to one moment, nor one beyond two windows.
 */
export function ownMoment(windowMinutes: number, { now, meter, sha384 }: AskedOn): number {
  const begin = (Math.floor(now / (windowMinutes * MINUTE)) + 1) * windowMinutes * MINUTE;
  const fraction = hashFraction(Uint8Array.of(...fromHex(meter), ...new TextEncoder().encode(` ${begin}`)), sha384);
  return begin + Math.floor(fraction * windowMinutes * 60) * 1000;
}

/** Whether the execution times of a schedule (class 22) are the own moment of the meter and nothing else, on a clock that is so far ahead of UTC. */
export function isOwnMoment(
  octets: Uint8Array | undefined,
  { windowMinutes, offsetMinutes }: { readonly windowMinutes: number; readonly offsetMinutes: number },
  on: AskedOn,
): boolean {
  const local = octets && onlyMoment(octets);
  if (local === undefined) return false;
  const at = local - offsetMinutes * MINUTE;
  const moments = [on.now, on.now - UNDERWAY_MILLISECONDS].map((now) => ownMoment(windowMinutes, { ...on, now }));
  return at > on.now && moments.includes(at);
}

/** The one time that a list of execution times names, without wildcards, as if it were UTC. */
function onlyMoment(octets: Uint8Array): number | undefined {
  const read = decode(data, octets);
  if (read.type !== "array" || read.value.length !== 1 || read.value[0]?.type !== "structure") return undefined;
  const [time, date, ...more] = read.value[0].value;
  if (more.length > 0 || time?.type !== "octet-string" || date?.type !== "octet-string") return undefined;
  const [hour, minute, second, hundredths, ...late] = time.value;
  const [high, low, month, day, weekday, ...later] = date.value;
  const isWhole = late.length === 0 && later.length === 0 && (hundredths === 0 || hundredths === WILD);
  if (!isWhole || weekday === undefined || low === undefined || second === undefined) return undefined;
  const at = Date.UTC((high ?? 0) * 256 + low, (month ?? 0) - 1, day, hour, minute, second);
  // What is no date of the calendar, as the 31st of February or a wildcard, comes back as another one.
  const back = new Date(at);
  const isSame =
    back.getUTCFullYear() === (high ?? 0) * 256 + low &&
    back.getUTCMonth() + 1 === month &&
    back.getUTCDate() === day &&
    back.getUTCHours() === hour &&
    back.getUTCMinutes() === minute &&
    back.getUTCSeconds() === second;
  return isSame && (weekday === WILD || weekday === (back.getUTCDay() || 7)) ? at : undefined;
}

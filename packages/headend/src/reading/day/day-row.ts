import type { ProtectionGrade, TrustStateName } from "@meterkeep/api";
import { DAY_MILLISECONDS } from "../../time/day.ts";
import { type ChannelDay, NO_STATUS, type Provenance, packDay, unpackDay } from "./packed-day.ts";

/** One channel's value of one interval, as it is stored. */
export interface HeldInterval {
  readonly channel: number;
  /** End of the interval: milliseconds since 1970 UTC at the source. */
  readonly at: number;
  readonly value: number;
  readonly status: number | undefined;
  /** Number of its evidence. */
  readonly evidence: number;
  readonly protection: ProtectionGrade;
  readonly trustAtCapture: TrustStateName;
}

/** A row of `meter_days` without the meter that it is of. */
export interface DayRow {
  /** Start of the UTC day, milliseconds since 1970. */
  readonly day: number;
  /** 0 for a day that is closed, else the slot that the part begins in. */
  readonly part: number;
  readonly instants: number;
  readonly values: number;
  readonly trusted: number;
  readonly evidenceFrom: number;
  readonly evidenceTo: number;
  readonly packed: Uint8Array;
}

/** Start of the UTC day in which an interval ends; one that ends at midnight belongs to the day before. */
export function dayOf(at: number): number {
  return Math.floor((at - 1) / DAY_MILLISECONDS) * DAY_MILLISECONDS;
}

/** `2026-11-21`, as a date of SQL. */
export function dayText(day: number): string {
  return new Date(day).toISOString().slice(0, 10);
}

/** Whether an interval ends on the grid of its period, which is what can be packed. */
export function isOnGrid(at: number, periodSeconds: number): boolean {
  return at % (periodSeconds * 1000) === 0;
}

/**
 * Packs a day's intervals, of which each is on the grid and no two are of the same channel and instant; in any order. They
 * are the whole of a closed day, or a part of one.
 */
export function dayRow(
  day: number,
  periodSeconds: number,
  intervals: readonly HeldInterval[],
  form: "closed" | "part",
): DayRow {
  const provenances = new Provenances();
  const period = periodSeconds * 1000;
  const columns = columnsFor(intervals);
  /** Which slots have a value of some channel, and how many they are. */
  const taken = new Uint8Array(DAY_MILLISECONDS / period + 1);
  let [instants, trusted] = [0, 0];
  let column = columns[0];
  for (const interval of intervals) {
    const slot = (interval.at - day) / period;
    if (taken[slot] === 0) {
      taken[slot] = 1;
      instants += 1;
    }
    if (wasTrusted(interval)) trusted += 1;
    if (column?.channel !== interval.channel) column = columns.find(({ channel }) => channel === interval.channel);
    if (column?.add(slot, interval, provenances.placeOf(interval)) === false)
      return dayRow(day, periodSeconds, byTime(intervals), form);
  }
  const channels = columns
    .sort((one, other) => one.channel - other.channel)
    .map(({ channel, slots, values, status, provenance }): ChannelDay => {
      return { channel, periodSeconds, slots, values, status, provenance };
    });
  const [evidenceFrom, evidenceTo] = provenances.evidence;
  return {
    day,
    part: form === "closed" ? 0 : Math.min(...channels.map(({ slots }) => slots[0] as number)),
    instants,
    values: intervals.length,
    trusted,
    evidenceFrom,
    evidenceTo,
    packed: packDay({ provenances: provenances.list, channels }),
  };
}

function byTime(intervals: readonly HeldInterval[]): readonly HeldInterval[] {
  return [...intervals].sort((one, other) => one.at - other.at);
}

/** What a channel has of a day, filled in the order of time. */
class ChannelColumns {
  readonly channel: number;
  readonly slots: Uint32Array;
  readonly values: Float64Array;
  readonly status: Float64Array;
  readonly provenance: Uint16Array;
  #count = 0;
  #last = 0;

  constructor(channel: number, count: number) {
    this.channel = channel;
    this.slots = new Uint32Array(count);
    this.values = new Float64Array(count);
    this.status = new Float64Array(count);
    this.provenance = new Uint16Array(count);
  }

  /** False where it stands before the one that was added last. */
  add(slot: number, { value, status }: HeldInterval, provenance: number): boolean {
    if (slot < this.#last) return false;
    this.#last = slot;
    const at = this.#count;
    this.slots[at] = slot;
    this.values[at] = value;
    this.status[at] = status ?? NO_STATUS;
    this.provenance[at] = provenance;
    this.#count = at + 1;
    return true;
  }
}

/** Room for as many intervals as each channel has; there are a few channels. */
function columnsFor(intervals: readonly HeldInterval[]): ChannelColumns[] {
  const counts: { readonly channel: number; count: number }[] = [];
  let last: (typeof counts)[number] | undefined;
  for (const { channel } of intervals) {
    if (last?.channel !== channel) {
      last = counts.find((one) => one.channel === channel);
      if (last === undefined) {
        last = { channel, count: 0 };
        counts.push(last);
      }
    }
    last.count += 1;
  }
  return counts.map(({ channel, count }) => new ChannelColumns(channel, count));
}

/** The provenances of a day: a handful, mostly the same as that of the value before. */
class Provenances {
  readonly list: Provenance[] = [];
  #last = 0;

  placeOf(one: Provenance): number {
    const last = this.list[this.#last];
    if (last !== undefined && isSame(last, one)) return this.#last;
    const known = this.list.findIndex((each) => isSame(each, one));
    const { evidence, protection, trustAtCapture } = one;
    this.#last = known >= 0 ? known : this.list.push({ evidence, protection, trustAtCapture }) - 1;
    return this.#last;
  }

  get evidence(): readonly [from: number, to: number] {
    let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const { evidence } of this.list) [from, to] = [Math.min(from, evidence), Math.max(to, evidence)];
    return [from, to];
  }
}

function isSame(one: Provenance, other: Provenance): boolean {
  return (
    one.evidence === other.evidence &&
    one.protection === other.protection &&
    one.trustAtCapture === other.trustAtCapture
  );
}

/** Whether a value was captured while its source was trusted and its octets prove that they come from it. */
export function wasTrusted(one: Pick<HeldInterval, "trustAtCapture" | "protection">): boolean {
  return one.trustAtCapture === "trusted" && one.protection === "authenticated";
}

/** The intervals of a row, channel by channel in the order of time. @throws HeadEndError `packed-day-invalid` */
export function intervalsOf(day: number, packed: Uint8Array): HeldInterval[] {
  const { provenances, channels } = unpackDay(packed);
  const intervals: HeldInterval[] = [];
  for (const { channel, periodSeconds, slots, values, status, provenance } of channels)
    for (let at = 0; at < slots.length; at += 1) {
      const from = provenances[provenance[at] as number] as Provenance;
      intervals.push({
        channel,
        at: day + (slots[at] as number) * periodSeconds * 1000,
        value: values[at] as number,
        status: status[at] === NO_STATUS ? undefined : status[at],
        evidence: from.evidence,
        protection: from.protection,
        trustAtCapture: from.trustAtCapture,
      });
    }
  return intervals;
}

import type { ProtectionGrade, TrustStateName } from "@meterkeep/api";
import { type ChannelDay, NO_STATUS, type Provenance, packDay, unpackDay } from "./packed-day.ts";

export const DAY_MILLISECONDS = 86_400_000;

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
  const instants = new Set<number>();
  let trusted = 0;
  const byChannel = new Map<number, HeldInterval[]>();
  for (const interval of intervals) {
    instants.add(interval.at);
    if (wasTrusted(interval)) trusted += 1;
    const channel = byChannel.get(interval.channel);
    if (channel === undefined) byChannel.set(interval.channel, [interval]);
    else channel.push(interval);
  }
  let firstSlot = Number.POSITIVE_INFINITY;
  const channels = [...byChannel]
    .sort(([one], [other]) => one - other)
    .map(([channel, its]): ChannelDay => {
      inOrder(its);
      const count = its.length;
      const [slots, values, status] = [new Uint32Array(count), new Float64Array(count), new Float64Array(count)];
      const provenance = new Uint16Array(count);
      for (let n = 0; n < count; n += 1) {
        const one = its[n] as HeldInterval;
        slots[n] = (one.at - day) / (periodSeconds * 1000);
        values[n] = one.value;
        status[n] = one.status ?? NO_STATUS;
        provenance[n] = provenances.placeOf(one);
      }
      firstSlot = Math.min(firstSlot, slots[0] as number);
      return { channel, periodSeconds, slots, values, status, provenance };
    });
  const [evidenceFrom, evidenceTo] = provenances.evidence;
  return {
    day,
    part: form === "closed" ? 0 : firstSlot,
    instants: instants.size,
    values: intervals.length,
    trusted,
    evidenceFrom,
    evidenceTo,
    packed: packDay({ provenances: provenances.list, channels }),
  };
}

/** Sorts by time what mostly is sorted. */
function inOrder(intervals: HeldInterval[]): void {
  for (let n = 1; n < intervals.length; n += 1)
    if ((intervals[n] as HeldInterval).at < (intervals[n - 1] as HeldInterval).at) {
      intervals.sort((one, other) => one.at - other.at);
      return;
    }
}

/** The provenances of a day: a handful, mostly the same as that of the value before. */
class Provenances {
  readonly list: Provenance[] = [];
  #last = 0;

  placeOf({ evidence, protection, trustAtCapture }: Provenance): number {
    const isIt = (one: Provenance | undefined): boolean =>
      one?.evidence === evidence && one.protection === protection && one.trustAtCapture === trustAtCapture;
    if (isIt(this.list[this.#last])) return this.#last;
    const known = this.list.findIndex(isIt);
    this.#last = known >= 0 ? known : this.list.push({ evidence, protection, trustAtCapture }) - 1;
    return this.#last;
  }

  get evidence(): readonly [from: number, to: number] {
    let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const { evidence } of this.list) [from, to] = [Math.min(from, evidence), Math.max(to, evidence)];
    return [from, to];
  }
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

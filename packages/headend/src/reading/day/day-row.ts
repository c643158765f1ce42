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
  const provenances: Provenance[] = [];
  const places = new Map<string, number>();
  const placeOf = ({ evidence, protection, trustAtCapture }: HeldInterval): number => {
    const key = `${evidence} ${protection} ${trustAtCapture}`;
    let place = places.get(key);
    if (place === undefined) {
      place = provenances.push({ evidence, protection, trustAtCapture }) - 1;
      places.set(key, place);
    }
    return place;
  };
  const sorted = intervals.toSorted((one, other) => one.channel - other.channel || one.at - other.at);
  const channels: ChannelDay[] = [];
  for (let from = 0; from < sorted.length; ) {
    const { channel } = sorted[from] as HeldInterval;
    let to = from;
    while (sorted[to]?.channel === channel) to += 1;
    const part = sorted.slice(from, to);
    channels.push({
      channel,
      periodSeconds,
      slots: part.map(({ at }) => (at - day) / (periodSeconds * 1000)),
      values: part.map(({ value }) => value),
      status: part.map(({ status }) => status ?? NO_STATUS),
      provenance: part.map(placeOf),
    });
    from = to;
  }
  const evidence = provenances.map((one) => one.evidence);
  const firstSlot = Math.min(...channels.map(({ slots }) => slots[0] as number));
  return {
    day,
    part: form === "closed" ? 0 : firstSlot,
    instants: new Set(intervals.map(({ at }) => at)).size,
    values: intervals.length,
    trusted: intervals.filter(wasTrusted).length,
    evidenceFrom: Math.min(...evidence),
    evidenceTo: Math.max(...evidence),
    packed: packDay({ provenances, channels }),
  };
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

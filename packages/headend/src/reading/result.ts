import type { EventCategory, ProtectionGrade, SupplyState } from "@meterkeep/api";
import type { Stretch } from "./coverage.ts";
import type { ClockOff, ClockSet } from "./misdated.ts";

/** Octets that values rest on. */
export interface EvidenceRecord {
  readonly hash: Uint8Array;
  readonly octets: Uint8Array;
  readonly plain: Uint8Array | undefined;
  readonly protection: ProtectionGrade;
  /** Milliseconds since 1970 UTC on our clock. */
  readonly receivedAt: number;
}

/** A register's value at a moment of the source. */
export interface RegisterRecord {
  readonly obis: string;
  readonly value: number | string;
  readonly unit: string | undefined;
  /** Milliseconds since 1970 UTC at the source. */
  readonly at: number;
  readonly status?: string;
  readonly evidence: EvidenceRecord;
}

/** One channel's value of one interval. */
export interface IntervalRecord {
  readonly obis: string;
  readonly unit: string;
  /** End of the interval: milliseconds since 1970 UTC at the source. */
  readonly at: number;
  readonly value: number;
  readonly status: number | undefined;
  readonly evidence: EvidenceRecord;
}

/** A line of an event log. */
export interface EventRecord {
  /** As the meter profile calls it. */
  readonly log: string;
  readonly code: number;
  readonly category: EventCategory;
  readonly severity: number;
  /** Milliseconds since 1970 UTC at the source. */
  readonly at: number;
  readonly evidence: EvidenceRecord;
}

/** A row of power quality. */
export interface QualityRecord {
  /** Milliseconds since 1970 UTC at the source. */
  readonly at: number;
  readonly values: readonly { readonly obis: string; readonly unit: string; readonly value: number }[];
  readonly evidence: EvidenceRecord;
}

/** Intervals that a meter was asked for, and answered without a value of one channel. */
export interface LackingStretch extends Stretch {
  readonly obis: string;
}

/** What answers say of the profile of power quality. */
export interface QualityAnswered {
  /** Stretches that were answered, as far as the meter could know of them. */
  readonly covered: readonly Stretch[];
  /** What of it has no row. */
  readonly lacking: readonly Stretch[];
  readonly periodSeconds: number;
}

/** A stretch that a meter dated while its clock was off by more than is let be: what is in it may be of another time. */
export interface MisdatedStretch extends Stretch {
  /** Meter minus reference. */
  readonly offsetSeconds: number;
  readonly isIncident: boolean;
}

/** What a session or a push brought in. */
export interface ReadResult {
  readonly registers: readonly RegisterRecord[];
  readonly intervals: readonly IntervalRecord[];
  /** Stretches of the profile that were answered in full, as far as the meter could know of them. */
  readonly covered: readonly Stretch[];
  /** What of it has no value of a channel. */
  readonly lacking?: readonly LackingStretch[];
  /** When the meter was without power, as the status of its rows says. */
  readonly outages?: readonly Stretch[];
  /** What is to be read again, covered or not: a clock was moved there. */
  readonly uncovered?: readonly Stretch[];
  /** That a look at its clock in the same session found it off: what is new with it is disputed. */
  readonly clockOff?: ClockOff;
  /** That its clock was set: what it has dated before and gives later is disputed. */
  readonly clockSet?: ClockSet;
  /** What a push dated by a clock that is off. */
  readonly misdated?: readonly MisdatedStretch[];
  /** Up to when its event logs were read, milliseconds since 1970 UTC at the source. */
  readonly loggedTo?: number;
  /** The push set-ups of its object list, where that was read. */
  readonly pushSetUps?: readonly string[];
  /** The newest of the ends of days whose registers it gave. */
  readonly daysTo?: number;
  /** Of the profile that the intervals are from, seconds; absent where nobody knows, as in a push. */
  readonly periodSeconds?: number;
  readonly events?: readonly EventRecord[];
  readonly quality?: readonly QualityRecord[];
  /** Of a meter that has a profile of power quality, in a session. */
  readonly qualityAnswered?: QualityAnswered;
  readonly supply?: SupplyState;
  /** Meter minus reference, less what the exchange itself may have taken of it. */
  readonly clockOffsetSeconds?: number;
  /** The newest, for the page's one line: power drawn less power fed in, and energy drawn. */
  readonly powerW?: number;
  readonly energyWh?: number;
}

export const NOTHING_READ: ReadResult = { registers: [], intervals: [], covered: [] };

/** Each piece of evidence once. */
export function evidenceOf({ registers, intervals, events = [], quality = [] }: ReadResult): readonly EvidenceRecord[] {
  const found = new Set<EvidenceRecord>();
  for (const records of [registers, intervals, events, quality])
    for (const { evidence } of records) found.add(evidence);
  return [...found];
}

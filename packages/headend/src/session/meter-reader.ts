import {
  CLOCK_STATUS,
  type Data,
  type DateTime,
  data,
  dateTimeAt,
  dateTimeOctets,
  decode,
  type GetItem,
  instantOf,
  type ListItem,
  type ProfileRow,
  rangeDescriptor,
  readProfileEntries,
  readProfileRange,
  type Session,
  scalerUnit,
  unitSymbol,
} from "@meterkeep/dlms";
import { HeadEndError } from "../errors.ts";
import type { Meter } from "../inventory/meter.ts";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { logicalName } from "../profile/object-name.ts";
import type { EvidenceRecord } from "../reading/result.ts";
import type { TimeZone } from "../time/time-zone.ts";
import type { Question } from "./question.ts";
import type { Scale, ScalerTable } from "./scaler-table.ts";

const CLOCK: GetItem = { classId: 8, logicalName: "0.0.1.0.0.255", attributeId: 2 };
const REGISTER_CLASS = 3;
const PROFILE_CLASS = 7;
const DISCONNECT_CLASS = 70;
/** Of a profile. */
const BUFFER = 2;

/** What one reading of the registers gave. */
export interface RegisterSnapshot {
  /** The meter's clock, milliseconds since 1970 UTC; undefined where it does not know the time. */
  readonly clock: number | undefined;
  /** Whether the relay lets supply pass; undefined where the meter has none or does not say. */
  readonly supplied: boolean | undefined;
  readonly values: readonly { readonly obis: string; readonly count: number }[];
}

/** Reads one meter by its profile, over an association that somebody else made. */
export class MeterReader {
  readonly #session: Pick<Session, "get" | "getList">;
  readonly #profile: MeterProfile;
  readonly #meter: Meter;
  readonly #scalers: ScalerTable;

  constructor(session: Pick<Session, "get" | "getList">, meter: Meter, profile: MeterProfile, scalers: ScalerTable) {
    this.#session = session;
    this.#meter = meter;
    this.#profile = profile;
    this.#scalers = scalers;
  }

  /** The clock, the relay and the registers, in one request where the meter takes lists. */
  async snapshot(registers: readonly string[]): Promise<RegisterSnapshot> {
    const items = this.#snapshotItems(registers);
    return this.#snapshotOf(registers, await this.#session.getList(items));
  }

  /** The same as a part of a longer request. */
  snapshotQuestion(
    registers: readonly string[],
    found: (snapshot: RegisterSnapshot, evidence: EvidenceRecord) => void,
  ): Question {
    return {
      items: this.#snapshotItems(registers),
      take: (answers, evidence) => found(this.#snapshotOf(registers, answers), evidence),
    };
  }

  /**
   * Asks for the rows of the load profile that end from `from` to `to`, milliseconds since 1970 UTC, both included: its
   * buffer as it came, undefined where the meter does not give them so.
   */
  rowsQuestion(
    from: number,
    to: number,
    found: (buffer: Uint8Array | undefined, evidence: EvidenceRecord) => void,
  ): Question {
    const selection = rangeDescriptor({ from: wholeSecond(from), to: wholeSecond(to) });
    return {
      items: [{ ...attribute(PROFILE_CLASS, this.#profile.loadProfile.obis, BUFFER), selection }],
      take: ([answer], evidence) => found(answer?.kind === "data" ? answer.value : undefined, evidence),
    };
  }

  /** Makes sure that scaler and unit of each are known. Asks for those that no meter of this kind has told yet. */
  async learnScales(obisCodes: readonly string[]): Promise<void> {
    const unknown = obisCodes.filter((obis) => this.#scalers.find(this.#meter, obis) === undefined);
    if (unknown.length === 0) return;
    const answers = await this.#session.getList(unknown.map((obis) => attribute(REGISTER_CLASS, obis, 3)));
    for (const [at, answer] of answers.entries())
      if (answer.kind === "data") {
        const { scaler, unit } = decode(scalerUnit, answer.value, { trailing: "ignore" });
        this.#scalers.learn(this.#meter, unknown[at] as string, { scaler, unit: unit === 255 ? "" : unitSymbol(unit) });
      }
  }

  #snapshotItems(registers: readonly string[]): readonly GetItem[] {
    return [
      CLOCK,
      ...(this.#hasRelay ? [attribute(DISCONNECT_CLASS, this.#profile.disconnectControl, 2)] : []),
      ...registers.map((obis) => attribute(REGISTER_CLASS, obis, 2)),
    ];
  }

  #snapshotOf(registers: readonly string[], answers: readonly ListItem[]): RegisterSnapshot {
    const [clock, ...rest] = answers;
    const relay = this.#hasRelay ? rest.shift() : undefined;
    return {
      clock: clockOf(dataOf(clock), this.#profile.timeZone),
      supplied: booleanOf(dataOf(relay)),
      values: registers.flatMap((obis, at) => {
        const count = numberOf(dataOf(rest[at]));
        return count === undefined ? [] : [{ obis, count }];
      }),
    };
  }

  get #hasRelay(): boolean {
    return this.#meter.role === "home";
  }

  /** @throws HeadEndError `meter-answer-unusable` for an object whose scale the meter did not tell. */
  scale(obis: string): Scale {
    const scale = this.#scalers.find(this.#meter, obis);
    if (scale === undefined) throw new HeadEndError("meter-answer-unusable", `it does not tell the unit of ${obis}`);
    return scale;
  }

  /** Rows of the load profile that end from `from` to `to`, milliseconds since 1970 UTC, both included. */
  rowsInRange(from: number, to: number): Promise<readonly ProfileRow[]> {
    return readProfileRange(this.#session, logicalName(this.#profile.loadProfile.obis), {
      from: wholeSecond(from),
      to: wholeSecond(to),
    });
  }

  /** The newest rows of the load profile, at most `count`; `fromOldest` when there are no more than that. */
  async newestRows(count: number): Promise<{ readonly rows: readonly ProfileRow[]; readonly fromOldest: boolean }> {
    const { obis } = this.#profile.loadProfile;
    const inUse = numberOf(
      decode(data, await this.#session.get(attribute(PROFILE_CLASS, obis, 7)), { trailing: "ignore" }),
    );
    if (inUse === undefined)
      throw new HeadEndError("meter-answer-unusable", "it does not tell how many rows its load profile holds");
    if (inUse === 0) return { rows: [], fromOldest: true };
    const fromEntry = Math.max(1, inUse - count + 1);
    const rows = await readProfileEntries(this.#session, logicalName(obis), { fromEntry, toEntry: 0 });
    return { rows, fromOldest: fromEntry === 1 };
  }
}

function attribute(classId: number, obis: string, attributeId: number): GetItem {
  return { classId, logicalName: logicalName(obis), attributeId };
}

function wholeSecond(instant: number): DateTime {
  return dateTimeAt(Math.floor(instant / 1000) * 1000);
}

/** What an item of a list says, where it was answered. */
export function dataOf(item: ListItem | undefined): Data | undefined {
  return item?.kind === "data" ? decode(data, item.value, { trailing: "ignore" }) : undefined;
}

/**
 * The instant in an octet-string of twelve, or in a date-time. One that does not say how far it is from UTC is of the time zone
 * in which such meters keep their clocks; without that it is unknown.
 */
export function clockOf(value: Data | undefined, zone: TimeZone | undefined): number | undefined {
  if (value?.type === "date-time") return instantIn(zone, value.value);
  if (value?.type !== "octet-string" || value.value.length !== 12) return undefined;
  return instantIn(zone, decode(dateTimeOctets, value.value));
}

/** The instant of a date-time of a meter in that time zone. */
export function instantIn(zone: TimeZone | undefined, value: DateTime): number | undefined {
  if (value.deviation !== undefined || zone === undefined) return instantOf(value);
  const local = instantOf(value, 0);
  const isSummer = ((value.status ?? 0) & CLOCK_STATUS.daylightSavingActive) !== 0;
  return local === undefined ? undefined : zone.instantAt(local, isSummer);
}

/** The number in a Data item, whatever its type; undefined for anything that is none. */
export function numberOf(value: Data | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value.value === "number") return value.value;
  return typeof value.value === "bigint" ? Number(value.value) : undefined;
}

function booleanOf(value: Data | undefined): boolean | undefined {
  return value?.type === "boolean" ? value.value : undefined;
}

/** The rows of a profile's buffer. */
export function rowsOf(buffer: Data): readonly (readonly Data[])[] {
  return buffer.type === "array"
    ? buffer.value.flatMap((row) => (row.type === "structure" ? [row.value as readonly Data[]] : []))
    : [];
}

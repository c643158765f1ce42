import { ProfileDecoder, type ProfileRow, type ProfileRowView } from "@meterkeep/dlms";
import { HeadEndError } from "../errors.ts";
import type { MeterProfile } from "../profile/meter-profile.ts";
import type { Stretch } from "../reading/coverage.ts";
import type { EvidenceRecord, IntervalRecord } from "../reading/result.ts";
import type { TimeZone } from "../time/time-zone.ts";
import { clockOf, numberOf } from "./meter-reader.ts";
import { type Scale, scaledValue } from "./scaler-table.ts";

/** A row of a load or daily profile, read. */
export interface ReadRow {
  /** End of the interval, milliseconds since 1970 UTC. */
  readonly at: number;
  readonly intervals: readonly IntervalRecord[];
}

/** A row as its reader sees it; another row is behind it the next time. */
type RowView = Pick<ProfileRowView, "columns" | "isSent" | "number" | "instant">;

/** Rows asked for in one request: more would be long on a slow line, and lost with it. */
export const ROWS_A_REQUEST = 200;

/** A stretch of a profile in parts that a meter can answer at a time. */
export function portions(gap: Stretch, periodSeconds: number): readonly Stretch[] {
  const length = ROWS_A_REQUEST * periodSeconds * 1000;
  const parts: Stretch[] = [];
  for (let from = gap.from; from < gap.to; from += length) parts.push({ from, to: Math.min(gap.to, from + length) });
  return parts;
}

/** What a profile is, as far as its rows are concerned. */
type RowFacts = Pick<MeterProfile["loadProfile"], "columns" | "periodSeconds">;

/**
 * Gives meaning to the rows of a load or daily profile. A clock that is left out (null-data) is the one before and a period; a
 * value that is left out has not changed, where it is a register, and is absent otherwise.
 *
 * @throws HeadEndError `meter-answer-unusable` when the rows are not as the profile says.
 */
export function readRows(
  rows: readonly ProfileRow[],
  facts: RowFacts,
  zone: TimeZone | undefined,
  scaleOf: (obis: string) => Scale,
  evidence: EvidenceRecord,
): readonly ReadRow[] {
  const read = rowReader(facts, scaleOf, evidence);
  return rows.map((row) => read(viewOf(row, zone)));
}

/** The same of a profile's buffer as it came, which is long: no value becomes an object. @throws also DecodeError */
export function readBuffer(
  buffer: Uint8Array,
  facts: RowFacts,
  zone: TimeZone | undefined,
  scaleOf: (obis: string) => Scale,
  evidence: EvidenceRecord,
): readonly ReadRow[] {
  const read = rowReader(facts, scaleOf, evidence);
  const rows: ReadRow[] = [];
  const decoder = new ProfileDecoder((row) => rows.push(read(zone === undefined ? row : viewIn(row, zone))), {
    nullData: "null",
  });
  decoder.push(buffer);
  decoder.end();
  return rows;
}

/** The same row, with clocks that do not say how far they are from UTC in a time zone. */
function viewIn(row: ProfileRowView, zone: TimeZone): RowView {
  return {
    columns: row.columns,
    isSent: (column) => row.isSent(column),
    number: (column) => row.number(column),
    instant: (column) => {
      const instant = row.instant(column);
      return Number.isNaN(instant) && row.isSent(column) ? (clockOf(row.value(column), zone) ?? instant) : instant;
    },
  };
}

function viewOf(row: ProfileRow, zone: TimeZone | undefined): RowView {
  return {
    columns: row.length,
    isSent: (column) => row[column]?.type !== "null-data",
    number: (column) => numberOf(row[column]) ?? Number.NaN,
    instant: (column) => clockOf(row[column], zone) ?? Number.NaN,
  };
}

function rowReader(
  { columns, periodSeconds }: RowFacts,
  scaleOf: (obis: string) => Scale,
  evidence: EvidenceRecord,
): (row: RowView) => ReadRow {
  const [clockAt, statusAt] = [columns.indexOf("clock"), columns.indexOf("status")];
  const channels = columns.flatMap((column, index): Channel[] =>
    typeof column === "string"
      ? []
      : [{ index, obis: column.obis, goesOn: column.kind === "register", scale: undefined, last: undefined }],
  );
  let before: number | undefined;
  let status: number | undefined;
  return (row) => {
    if (row.columns !== columns.length)
      throw unusable(`a row has ${row.columns} columns where ${columns.length} belong`);
    const sent = row.instant(clockAt);
    const stepped = row.isSent(clockAt) || before === undefined ? undefined : before + periodSeconds * 1000;
    const at = Number.isNaN(sent) ? stepped : sent;
    if (at === undefined) throw unusable("a row does not say when it was captured");
    before = at;
    if (statusAt >= 0) status = known(row.number(statusAt)) ?? status;
    const intervals: IntervalRecord[] = [];
    for (const channel of channels) {
      const count = known(row.number(channel.index)) ?? (channel.goesOn ? channel.last : undefined);
      if (count === undefined) continue;
      channel.last = count;
      channel.scale ??= scaleOf(channel.obis);
      const { obis, scale } = channel;
      intervals.push({ obis, unit: scale.unit, at, value: scaledValue(count, scale), status, evidence });
    }
    return { at, intervals };
  };
}

function known(number: number): number | undefined {
  return Number.isNaN(number) ? undefined : number;
}

/** A column of values. */
interface Channel {
  readonly index: number;
  readonly obis: string;
  /** A register whose count is left out where it has not changed. */
  readonly goesOn: boolean;
  scale: Scale | undefined;
  last: number | undefined;
}

function unusable(what: string): HeadEndError {
  return new HeadEndError("meter-answer-unusable", `a profile of it is not as its companion profile says: ${what}`);
}

import type { ProfileRow } from "@meterkeep/dlms";
import { HeadEndError } from "../errors.ts";
import type { MeterProfile } from "../profile/meter-profile.ts";
import type { EvidenceRecord, IntervalRecord } from "../reading/result.ts";
import { clockOf, numberOf } from "./meter-reader.ts";
import { type Scale, scaledValue } from "./scaler-table.ts";

/** A row of a load or daily profile, read. */
export interface ReadRow {
  /** End of the interval, milliseconds since 1970 UTC. */
  readonly at: number;
  readonly intervals: readonly IntervalRecord[];
}

/**
 * Gives meaning to the rows of a load or daily profile. A clock that is left out (null-data) is the one before and a period; a
 * value that is left out has not changed, where it is a register, and is absent otherwise.
 *
 * @throws HeadEndError `meter-answer-unusable` when the rows are not as the profile says.
 */
export function readRows(
  rows: readonly ProfileRow[],
  { columns, periodSeconds }: Pick<MeterProfile["loadProfile"], "columns" | "periodSeconds">,
  scaleOf: (obis: string) => Scale,
  evidence: EvidenceRecord,
): readonly ReadRow[] {
  const [clockAt, statusAt] = [columns.indexOf("clock"), columns.indexOf("status")];
  const channels = columns.flatMap((column, index): Channel[] =>
    typeof column === "string"
      ? []
      : [{ index, obis: column.obis, goesOn: column.kind === "register", scale: undefined, last: undefined }],
  );
  let at: number | undefined;
  let status: number | undefined;
  return rows.map((row) => {
    if (row.length !== columns.length) throw unusable(`a row has ${row.length} columns where ${columns.length} belong`);
    const clock = row[clockAt];
    at = clockOf(clock) ?? (clock?.type === "null-data" && at !== undefined ? at + periodSeconds * 1000 : undefined);
    if (at === undefined) throw unusable("a row does not say when it was captured");
    if (statusAt >= 0) status = numberOf(row[statusAt]) ?? status;
    const intervals: IntervalRecord[] = [];
    for (const channel of channels) {
      const count = numberOf(row[channel.index]) ?? (channel.goesOn ? channel.last : undefined);
      if (count === undefined) continue;
      channel.last = count;
      channel.scale ??= scaleOf(channel.obis);
      const { obis, scale } = channel;
      intervals.push({ obis, unit: scale.unit, at, value: scaledValue(count, scale), status, evidence });
    }
    return { at, intervals };
  });
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

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
  let at: number | undefined;
  let status: number | undefined;
  const last = new Map<string, number>();
  return rows.map((row) => {
    if (row.length !== columns.length) throw unusable(`a row has ${row.length} columns where ${columns.length} belong`);
    const clock = columns.indexOf("clock");
    at =
      clockOf(row[clock]) ??
      (row[clock]?.type === "null-data" && at !== undefined ? at + periodSeconds * 1000 : undefined);
    if (at === undefined) throw unusable("a row does not say when it was captured");
    const statusAt = columns.indexOf("status");
    if (statusAt >= 0) status = numberOf(row[statusAt]) ?? status;
    const intervals: IntervalRecord[] = [];
    for (const [index, column] of columns.entries()) {
      if (typeof column === "string") continue;
      const sent = numberOf(row[index]);
      const count = sent ?? (column.kind === "register" ? last.get(column.obis) : undefined);
      if (count === undefined) continue;
      last.set(column.obis, count);
      const scale = scaleOf(column.obis);
      intervals.push({
        obis: column.obis,
        unit: scale.unit,
        at,
        value: scaledValue(count, scale),
        status,
        evidence,
      });
    }
    return { at, intervals };
  });
}

function unusable(what: string): HeadEndError {
  return new HeadEndError("meter-answer-unusable", `a profile of it is not as its companion profile says: ${what}`);
}

import { dateTimeAt, dateTimeOctets, type ProfileRows } from "@meterkeep/dlms";

/** Octets of a row: a clock, a status and four registers. */
const ROW_BYTES = 38;
const START = Date.UTC(2026, 0, 1);
const PERIOD_MILLISECONDS = 900_000;

export interface BenchProfile {
  readonly logicalName: string;
  readonly rows: number;
  /** Of its buffer, about. */
  readonly octets: number;
}

/** The profiles of the bench's meter: 30 days, ten months, and eight years of quarter hours. */
export const BENCH_PROFILES = [
  profile("1.0.99.1.0.255", 2880),
  profile("1.0.99.2.0.255", 28_800),
  profile("1.0.99.3.0.255", 288_000),
] as const;

/** Rows of such a profile, made when they are asked for. */
export function benchRows(length: number): ProfileRows {
  const instant = (row: number): number => START + row * PERIOD_MILLISECONDS;
  return {
    length,
    instant,
    writeCell(writer, row, column) {
      if (column === 0) {
        writer.unsigned8(9);
        writer.unsigned8(12);
        dateTimeOctets.encode(writer, dateTimeAt(instant(row)));
      } else if (column === 1) {
        writer.unsigned8(17);
        writer.unsigned8(0);
      } else {
        writer.unsigned8(6);
        writer.unsigned32(row * 137 + column);
      }
    },
  };
}

function profile(logicalName: string, rows: number): BenchProfile {
  return { logicalName, rows, octets: rows * ROW_BYTES };
}

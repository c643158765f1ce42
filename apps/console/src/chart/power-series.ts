/** Power over time out of a load profile, whichever way a companion profile stores it. */
import type { ProfileView } from "@meterkeep/api";

export interface PowerPoint {
  /** End of the interval, s since 1970. */
  readonly time: number;
  readonly powerW: number;
  readonly decisive: boolean;
  readonly trustNow: ProfileView["rows"][number]["trustNow"];
  readonly trustAtCapture: ProfileView["rows"][number]["trustAtCapture"];
  readonly protection: ProfileView["rows"][number]["protection"];
  readonly statusWords: readonly string[];
  readonly evidence: string;
}

/** What a column says about active import, by its OBIS code: C = 1, D = 4, 5 or 7 is power, 8 a register, 9 or 29 the energy of the interval. */
type Reading = "power" | "interval-energy" | "register";

const MEANING: Readonly<Record<string, Reading>> = {
  "1.4.0": "power",
  "1.5.0": "power",
  "1.7.0": "power",
  "1.8.0": "register",
  "1.9.0": "interval-energy",
  "1.29.0": "interval-energy",
};
const PREFERENCE: readonly Reading[] = ["power", "interval-energy", "register"];
const FACTORS: Readonly<Record<string, number>> = { W: 1, kW: 1000, MW: 1e6, Wh: 1, kWh: 1000, MWh: 1e6 };

/** Which column the power comes from; undefined where the profile has none. */
export function powerColumn(
  columns: ProfileView["columns"],
): { index: number; reading: Reading; factor: number } | undefined {
  for (const wanted of PREFERENCE) {
    const index = columns.findIndex(({ obis }) => MEANING[groups(obis)] === wanted);
    const column = columns[index];
    if (column !== undefined) return { index, reading: wanted, factor: FACTORS[column.unit ?? ""] ?? 1 };
  }
  return undefined;
}

/** Mean power of each interval, in order of time. A register gives power only between neighbours one period apart: a gap stays a gap. */
export function powerSeries(profile: Pick<ProfileView, "columns" | "rows" | "periodSeconds">): PowerPoint[] {
  const column = powerColumn(profile.columns);
  if (column === undefined) return [];
  const hours = profile.periodSeconds / 3600;
  const rows = profile.rows.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
  return rows.flatMap((row, at): PowerPoint[] => {
    const value = row.values[column.index];
    if (value === null || value === undefined) return [];
    const time = Date.parse(row.time) / 1000;
    const powerW = powerOf(column, value, rows[at - 1], time, profile.periodSeconds, hours);
    if (powerW === undefined) return [];
    const { decisive, trustNow, trustAtCapture, protection, statusWords, evidence } = row;
    return [{ time, powerW, decisive, trustNow, trustAtCapture, protection, statusWords, evidence }];
  });
}

function powerOf(
  { index, reading, factor }: { index: number; reading: Reading; factor: number },
  value: number,
  before: ProfileView["rows"][number] | undefined,
  time: number,
  periodSeconds: number,
  hours: number,
): number | undefined {
  if (reading === "power") return value * factor;
  if (reading === "interval-energy") return (value * factor) / hours;
  const earlier = before?.values[index];
  if (before === undefined || earlier === null || earlier === undefined) return undefined;
  if (Math.round(time - Date.parse(before.time) / 1000) !== periodSeconds) return undefined;
  return ((value - earlier) * factor) / hours;
}

function groups(obis: string): string {
  return obis.split(":")[1]?.split(".").slice(0, 3).join(".") ?? "";
}

/** Several series on one time axis, `null` where one has no point; the form uPlot takes. */
export function alignSeries(series: readonly (readonly Pick<PowerPoint, "time" | "powerW">[])[]): {
  readonly times: number[];
  readonly values: (number | null)[][];
} {
  const times = [...new Set(series.flatMap((points) => points.map(({ time }) => time)))].toSorted((a, b) => a - b);
  const at = new Map(times.map((time, index) => [time, index]));
  const values = series.map((points) => {
    const row: (number | null)[] = new Array(times.length).fill(null);
    for (const { time, powerW } of points) row[at.get(time) ?? 0] = powerW;
    return row;
  });
  return { times, values };
}

/** The sum where every series has a point; a partial sum would look like a drop of load. */
export function sumSeries(values: readonly (readonly (number | null)[])[]): (number | null)[] {
  const length = values[0]?.length ?? 0;
  return Array.from({ length }, (_, index) => {
    let sum = 0;
    for (const row of values) {
      const value = row[index];
      if (value === null || value === undefined) return null;
      sum += value;
    }
    return sum;
  });
}

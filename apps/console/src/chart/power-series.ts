/** Power over time out of a load profile, whichever way a companion profile stores it. */
import type { ProfileView } from "@meterkeep/api";

export interface PowerPoint {
  /** End of the interval, s since 1970. */
  readonly time: number;
  /** Import minus export: negative while more is fed in than drawn. */
  readonly powerW: number;
  readonly decisive: boolean;
  readonly trustNow: ProfileView["rows"][number]["trustNow"];
  readonly trustAtCapture: ProfileView["rows"][number]["trustAtCapture"];
  readonly protection: ProfileView["rows"][number]["protection"];
  readonly statusWords: readonly string[];
  readonly quality: ProfileView["rows"][number]["quality"];
  readonly evidence: string;
}

/** What a column says about active energy, by its OBIS code: C = 1 is import, 2 export; D = 4, 5 or 7 is power, 8 a register, 9 or 29 the energy of the interval. */
type Reading = "power" | "interval-energy" | "register";
type Direction = "import" | "export";

const DIRECTIONS: Readonly<Record<string, Direction>> = { "1": "import", "2": "export" };
const MEANING: Readonly<Record<string, Reading>> = {
  "4": "power",
  "5": "power",
  "7": "power",
  "8": "register",
  "9": "interval-energy",
  "29": "interval-energy",
};
const PREFERENCE: readonly Reading[] = ["power", "interval-energy", "register"];
const FACTORS: Readonly<Record<string, number>> = { W: 1, kW: 1000, MW: 1e6, Wh: 1, kWh: 1000, MWh: 1e6 };

export interface PowerColumn {
  readonly index: number;
  readonly reading: Reading;
  /** From the column's unit to W or Wh. */
  readonly factor: number;
}

/** Which column the power of one direction comes from; undefined where the profile has none. */
export function powerColumn(columns: ProfileView["columns"], direction: Direction): PowerColumn | undefined {
  const meanings = columns.map(({ obis }) => meaningOf(obis, direction));
  for (const wanted of PREFERENCE) {
    const index = meanings.indexOf(wanted);
    const column = columns[index];
    if (column !== undefined) return { index, reading: wanted, factor: FACTORS[column.unit ?? ""] ?? 1 };
  }
  return undefined;
}

/**
 * Mean power of each interval, in order of time: what was drawn, less what was fed in where the profile has that as well.
 * A register gives power only between neighbours one period apart: a gap stays a gap, and so does half an answer.
 */
export function powerSeries(profile: Pick<ProfileView, "columns" | "rows" | "periodSeconds">): PowerPoint[] {
  const drawn = powerColumn(profile.columns, "import");
  const fed = powerColumn(profile.columns, "export");
  if (drawn === undefined) return [];
  const rows = profile.rows.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
  return rows.flatMap((row, at): PowerPoint[] => {
    const time = Date.parse(row.time) / 1000;
    const importW = powerOf(drawn, row, rows[at - 1], profile.periodSeconds);
    const exportW = fed === undefined ? 0 : powerOf(fed, row, rows[at - 1], profile.periodSeconds);
    if (importW === undefined || exportW === undefined) return [];
    const powerW = importW - exportW;
    const { decisive, trustNow, trustAtCapture, protection, statusWords, quality, evidence } = row;
    return [{ time, powerW, decisive, trustNow, trustAtCapture, protection, statusWords, quality, evidence }];
  });
}

function powerOf(
  { index, reading, factor }: PowerColumn,
  row: ProfileView["rows"][number],
  before: ProfileView["rows"][number] | undefined,
  periodSeconds: number,
): number | undefined {
  const value = row.values[index];
  if (value === null || value === undefined) return undefined;
  const hours = periodSeconds / 3600;
  if (reading === "power") return value * factor;
  if (reading === "interval-energy") return (value * factor) / hours;
  const earlier = before?.values[index];
  if (before === undefined || earlier === null || earlier === undefined) return undefined;
  if (Math.round((Date.parse(row.time) - Date.parse(before.time)) / 1000) !== periodSeconds) return undefined;
  return ((value - earlier) * factor) / hours;
}

function meaningOf(obis: string, direction: Direction): Reading | undefined {
  const [c = "", d = "", e] = obis.split(":")[1]?.split(".") ?? [];
  return DIRECTIONS[c] === direction && e === "0" ? MEANING[d] : undefined;
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

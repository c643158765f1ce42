import { inTransaction } from "@meterkeep/postgres";
import { asCim } from "../src/export/cim.ts";
import { asCsv } from "../src/export/csv.ts";
import type { ExportedMeter } from "../src/export/export-kind.ts";
import { type ExportWindow, exportedMeters } from "../src/export/exported-meter.ts";
import { INTERVALS } from "../src/export/intervals.ts";
import { asParquet } from "../src/export/parquet.ts";
import { ChannelTable } from "../src/reading/channels.ts";
import { dayRow, type HeldInterval } from "../src/reading/day/day-row.ts";
import { ensureMonths, insertDays } from "../src/reading/day/day-store.ts";
import type { QualifiedInterval } from "../src/reading/held-intervals.ts";
import { openHeadEndDatabase } from "../src/testing/database.ts";
import { DAY_MILLISECONDS } from "../src/time/day.ts";

// What an export takes of the head-end's memory, whatever it is long: what is alive after collecting, looked at while it
// streams by, above what was alive before, and the peak of the process. `--meters N` meters, 2 000 unless given, of `--days N`
// days, 30 unless given; a tenth of them first, so that what grows with the range is seen to grow; and one meter's year.

const option = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const meters = option("meters", 2_000);
const days = option("days", 30);
const YEAR_DAYS = 365;
const FIRST = Date.parse("2025-11-20T00:00:00Z");
const GROUP = 500;
const LOOKS = 60;
const MB = 1_000_000;
const { gc } = globalThis;
if (gc === undefined) throw new Error("run with --expose-gc, as `npm run bench -- export` does");

await using database = await openHeadEndDatabase(meters);
const { pool, scope, meters: all } = database;
const channels = new ChannelTable(pool, scope);
const columns = [
  { obis: "1-0:1.8.0", unit: "Wh" },
  { obis: "1-0:2.8.0", unit: "Wh" },
];
await channels.prepare(columns);
await pool.query("update trust set state = 'trusted'");
await ensureMonths(
  pool,
  Array.from({ length: YEAR_DAYS + 1 }, (_, n) => FIRST + n * DAY_MILLISECONDS),
);

/** A day of a home: two registers each quarter of an hour. */
function dayOfHome(day: number): HeldInterval[] {
  return columns.flatMap(({ obis, unit }, which) =>
    Array.from({ length: 96 }, (_, slot) => ({
      ...{ channel: channels.number(obis, unit), at: day + (slot + 1) * 900_000, status: 0, evidence: 1 },
      ...({ protection: "authenticated", trustAtCapture: "trusted" } as const),
      value: which * 1_000_000 + day / 900_000 + slot * 37,
    })),
  );
}

for (let n = 0; n < YEAR_DAYS; n += 1) {
  const day = FIRST + n * DAY_MILLISECONDS;
  const row = dayRow(day, 900, dayOfHome(day), "closed");
  // All have the first days, and one has the year.
  const having = n < days ? all : all.slice(0, 1);
  for (let first = 0; first < having.length; first += GROUP)
    await inTransaction(pool, (sql) =>
      insertDays(
        sql,
        scope,
        having.slice(first, first + GROUP).map(({ id }) => ({ meter: id, ...row, day })),
      ),
    );
}

const alive = (): number => {
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

type Meters = AsyncGenerator<ExportedMeter<QualifiedInterval>>;
const FORMS: Readonly<Record<string, (meters: Meters) => AsyncIterable<string | Uint8Array>>> = {
  CSV: (meters) => asCsv(INTERVALS, meters),
  Parquet: (meters) => asParquet(INTERVALS, meters),
  "CIM XML": (meters) => asCim(INTERVALS, meters),
};

/** Exports, throws the octets away, and gives how many there were, what was alive at most above the start, and the process's peak. */
async function exported(form: string, window: ExportWindow, parts: number) {
  const before = alive();
  let [octets, most, rss, seen, values] = [0, 0, 0, 0, 0];
  const began = performance.now();
  async function* counted(): Meters {
    for await (const meter of exportedMeters(INTERVALS, pool, scope, window)) {
      values += meter.channels.reduce((sum, { values }) => sum + values.length, 0);
      yield meter;
      seen += 1;
      if (seen % Math.max(1, Math.floor(parts / LOOKS)) !== 0) continue;
      rss = Math.max(rss, process.memoryUsage().rss);
      most = Math.max(most, alive() - before);
    }
  }
  for await (const part of FORMS[form]?.(counted()) ?? []) octets += Buffer.byteLength(part);
  const seconds = (performance.now() - began) / 1000;
  return { octets, most, rss, values, seconds };
}

const window = { from: FIRST + 1, to: FIRST + days * DAY_MILLISECONDS, trust: "trusted" } as const;
const tenth = { ...window, to: FIRST + Math.ceil(days / 10) * DAY_MILLISECONDS };
const year = {
  from: FIRST + 1,
  to: FIRST + YEAR_DAYS * DAY_MILLISECONDS,
  trust: "trusted",
  meter: all[0]?.id,
} as const;
const ranges = [
  [`${Math.ceil(days / 10)} days of ${meters} meters`, tenth, meters],
  [`${days} days of ${meters} meters`, window, meters],
  ["a year of one meter", year, Math.ceil(YEAR_DAYS / 31)],
] as const;
// Once before it counts: compiled code stays.
for (const form of Object.keys(FORMS)) await exported(form, tenth, meters);
for (const form of Object.keys(FORMS))
  for (const [name, range, parts] of ranges) {
    const { octets, most, rss, values, seconds } = await exported(form, range as ExportWindow, parts);
    console.log(
      `${form.padEnd(8)} ${name.padEnd(28)} ${values.toLocaleString("en").padStart(12)} values, ${(octets / MB).toFixed(0).padStart(5)} MB, ${(values / seconds / 1000).toFixed(0)} 000 a second: at most ${(most / MB).toFixed(1)} MB alive above the start, process ${(rss / MB).toFixed(0)} MB`,
    );
  }

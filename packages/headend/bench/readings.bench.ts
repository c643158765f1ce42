import { type CopyRows, copyInto, inTransaction } from "@meterkeep/postgres";
import { openTestDatabase } from "@meterkeep/postgres/testing";
import { HEADEND_MIGRATIONS } from "../src/database/migrations.ts";
import { openScope } from "../src/database/scope.ts";
import { firstRow, rows } from "../src/database/sql.ts";
import type { MeterId } from "../src/inventory/meter.ts";
import { type DayRow, dayRow, type HeldInterval, intervalsOf } from "../src/reading/day/day-row.ts";
import { DAY_COLUMNS, encodeDays, ensureMonths, insertDays, type MeterDayRow } from "../src/reading/day/day-store.ts";
import { unpackDay } from "../src/reading/day/packed-day.ts";
import { heldIntervals } from "../src/reading/held-intervals.ts";
import { DAY_MILLISECONDS } from "../src/time/day.ts";

// What a day of a fleet costs to keep: 96 intervals on two channels a meter, packed (ADR 0023). `--meters N`, 100 000 unless
// given. Bare COPY of the same rows in binary form, from memory, stands beside it in the same run.

const at = process.argv.indexOf("--meters");
const meters = at < 0 ? 100_000 : Number(process.argv[at + 1]);
const GROUP = 2_000;
const DAY = Date.parse("2026-11-20T00:00:00Z");
const YEAR_DAYS = 365;

const PAGE = `select meter_id, packed from meter_days
  where utility_id = $1 and island_id = $2 and day = $3::date and meter_id > $4 order by meter_id limit 5000`;

/** A home's day: a total register and what was drawn in each quarter hour, Wh, with an evening. */
function homeDay(meter: number, day: number): HeldInterval[] {
  const intervals: HeldInterval[] = [];
  let energy = 1_000_000 + meter * 37;
  let seed = (meter * 2_654_435 + day / DAY_MILLISECONDS) % 2 ** 31;
  for (let slot = 1; slot <= 96; slot += 1) {
    seed = (seed * 48_271) % (2 ** 31 - 1);
    const drawn = 30 + (seed % 180) + (slot > 68 && slot < 88 ? 250 : 0);
    energy += drawn;
    const more = { at: day + slot * 900_000, status: 0, evidence: meter, protection: "authenticated" } as const;
    intervals.push({ channel: 1, value: energy, trustAtCapture: "trusted", ...more });
    intervals.push({ channel: 2, value: drawn, trustAtCapture: "trusted", ...more });
  }
  return intervals;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

await using database = await openTestDatabase({ migrations: HEADEND_MIGRATIONS });
const { pool } = database;
const scope = await openScope(pool, "utility", "island");
await ensureMonths(pool, [DAY - YEAR_DAYS * DAY_MILLISECONDS, DAY]);

const kinds = Array.from({ length: GROUP }, (_, n) => homeDay(n + 1, DAY));
for (const one of kinds) dayRow(DAY, 900, one, "closed");
let began = performance.now();
const packed = kinds.map((one) => dayRow(DAY, 900, one, "closed"));
const packSeconds = (performance.now() - began) / 1000;
began = performance.now();
for (const one of packed) intervalsOf(DAY, one.packed);
const unpackSeconds = (performance.now() - began) / 1000;
const octets = packed.reduce((sum, one) => sum + one.packed.length, 0) / GROUP;
console.log(
  `a meter's day of 96 intervals on two channels: ${octets.toFixed(0)} octets packed, ${(octets / 192).toFixed(2)} a value`,
);
console.log(`  packed                 ${count(GROUP / packSeconds)} a second and core`);
console.log(`  unpacked               ${count(GROUP / unpackSeconds)} a second and core`);

/** The rows of so many meters from `first` on; the values repeat after a group, which no part of this can tell. */
function rowsOf(first: number, size: number, day: number): MeterDayRow[] {
  return Array.from({ length: size }, (_, n) => ({
    meter: (first + n) as MeterId,
    ...(packed[n % GROUP] as DayRow),
    day,
  }));
}

/** COPY of rows that are encoded before the clock starts, in one go: what PostgreSQL can take. */
async function bareCopy(day: number): Promise<number> {
  const client = await pool.connect();
  try {
    const groups: CopyRows[] = [];
    for (let first = 1; first <= meters; first += GROUP)
      groups.push(encodeDays(scope, rowsOf(first, Math.min(GROUP, meters - first + 1), day)));
    began = performance.now();
    for (const group of groups) await copyInto(client, "meter_days", DAY_COLUMNS, group);
    return (performance.now() - began) / 1000;
  } finally {
    client.release();
  }
}

/** The way that the head-end takes: a transaction a group, what is there already stays; two groups under way at once. */
async function ingest(day: number, packsToo: boolean): Promise<number> {
  began = performance.now();
  const writing: Promise<unknown>[] = [];
  for (let first = 1; first <= meters; first += GROUP) {
    const size = Math.min(GROUP, meters - first + 1);
    const group = packsToo
      ? Array.from({ length: size }, (_, n) => ({
          meter: (first + n) as MeterId,
          ...dayRow(DAY, 900, kinds[n % GROUP] as HeldInterval[], "closed"),
          day,
        }))
      : rowsOf(first, size, day);
    if (writing.length === 2) await writing.shift();
    writing.push(inTransaction(pool, (sql) => insertDays(sql, scope, group)));
  }
  await Promise.all(writing);
  return (performance.now() - began) / 1000;
}

const copySeconds = await bareCopy(DAY);
const insertSeconds = await ingest(DAY - DAY_MILLISECONDS, false);
const wholeSeconds = await ingest(DAY - 2 * DAY_MILLISECONDS, true);
const rate = (seconds: number): string =>
  `${count(meters / seconds)} a second, ${(copySeconds / seconds).toFixed(2)} of it`;
console.log(
  `a day of ${count(meters)} meters (${count(meters * 192)} values) into PostgreSQL, in groups of ${count(GROUP)}`,
);
console.log(`  bare COPY                  ${count(meters / copySeconds)} meter-days a second`);
console.log(`  packed days written        ${rate(insertSeconds)} (target half)`);
console.log(`  packed and written         ${rate(wholeSeconds)}`);
const size = await firstRow<{ octets: string }>(pool, "select pg_total_relation_size('meter_days_2026_11') as octets");
const octetsAll = Number(size?.octets) / 3;
console.log(
  `  on disk with its key       ${(octetsAll / 1e6).toFixed(1)} MB a day, ${(octetsAll / meters / 192).toFixed(2)} octets a value`,
);

// A year of one meter among the others, and the last day of all.
const year = Array.from({ length: YEAR_DAYS }, (_, n) => DAY - (n + 3) * DAY_MILLISECONDS);
await inTransaction(pool, (sql) =>
  insertDays(
    sql,
    scope,
    year.map((day, n) => ({ meter: 1 as MeterId, ...(packed[n % GROUP] as DayRow), day })),
  ),
);
const times: number[] = [];
for (let n = 0; n < 20; n += 1) {
  began = performance.now();
  const found = (await heldIntervals(pool, scope, [1 as MeterId], undefined, undefined)).get(1 as MeterId) ?? [];
  times.push(performance.now() - began);
  if (found.length !== (YEAR_DAYS + 3) * 192) throw new Error(`${found.length} values of a year`);
}
times.sort((one, other) => one - other);
console.log(
  `a year of one meter, ${count((YEAR_DAYS + 3) * 192)} values: ${times[10]?.toFixed(1)} ms, slowest of twenty ${times[19]?.toFixed(1)} ms`,
);
began = performance.now();
let sum = 0;
let after = 0;
for (;;) {
  const page = await rows<{ meter_id: number; packed: Buffer }>(pool, PAGE, [...scope.place, "2026-11-20", after]);
  for (const { packed: octets } of page) sum += unpackDay(octets).channels.length;
  after = page.at(-1)?.meter_id ?? 0;
  if (page.length === 0) break;
}
const daySeconds = (performance.now() - began) / 1000;
console.log(
  `a day of all ${count(meters)}, ${count(sum * 96)} values unpacked: ${daySeconds.toFixed(2)} s, ${count((sum * 96) / daySeconds)} values a second`,
);

import { openTestDatabase } from "@meterkeep/postgres/testing";
import { HEADEND_MIGRATIONS } from "../src/database/migrations.ts";
import { openScope } from "../src/database/scope.ts";
import type { Sql } from "../src/database/sql.ts";
import { refreshStatistics } from "../src/database/statistics.ts";
import { Inventory } from "../src/inventory/inventory.ts";
import { type SlaDay, slaBoard } from "../src/reading/sla.ts";
import { slaGaps } from "../src/reading/sla-gaps.ts";
import { testMeter } from "../src/testing/database.ts";
import { DAY_MILLISECONDS } from "../src/time/day.ts";
import { WALL_SOURCE_CLOCK } from "../src/time/source-clock.ts";
import { timeZone } from "../src/time/time-zone.ts";
import { feederLines, overviewCounts } from "../src/view/counts.ts";
import { meterPage } from "../src/view/meter-summary.ts";

// What the pages that look at the whole fleet cost where it is large: the board of the service level, a page of its gaps, and the
// overview. `--meters N`, 300 000 unless given; one meter in fifty lacks an hour of the day, one in a thousand all of it. Prints
// the slowest statement of each with its plan: `--plans`.

const at = process.argv.indexOf("--meters");
const meters = at < 0 ? 300_000 : Number(process.argv[at + 1]);
const GROUP = 5_000;
const FEEDER_METERS = 130;
const RUNS = 5;
const DAY = Date.parse("2026-11-20T00:00:00Z");

await using database = await openTestDatabase({ migrations: HEADEND_MIGRATIONS });
const { pool } = database;
const scope = await openScope(pool, "utility", "island");
const inventory = new Inventory(pool, scope);
for (let first = 0; first < meters; first += GROUP)
  await inventory.add(
    Array.from({ length: Math.min(GROUP, meters - first) }, (_, n) => testMeter(first + n)),
    new Date(),
  );
const place = [...scope.place];
await pool.query(
  `insert into feeders (utility_id, island_id, feeder_id, name, substation_id, substation_name, path, position)
   select $1, $2, 'F' || n, 'Feeder ' || n, 'S1', 'Substation', 'wan', n from generate_series(0, $3::integer) n`,
  [...place, Math.ceil(meters / FEEDER_METERS)],
);
await pool.query("update meters set feeder_id = 'F' || (meter_id / $1::integer), position = meter_id % $1", [
  FEEDER_METERS,
]);
await pool.query("update takeovers set phase = 'done', verdict = 'proven', proven_at = now()");
await pool.query("update trust set state = 'trusted'");
await pool.query(
  `update interval_coverage set covered = case
     when meter_id % 1000 = 7 then '{}'
     when meter_id % 50 = 3 then tstzmultirange(tstzrange($1, $2, '(]')) - tstzmultirange(tstzrange($2::timestamptz - interval '17 hours', $2::timestamptz - interval '16 hours', '(]'))
     else tstzmultirange(tstzrange($1, $2, '(]')) end`,
  [new Date(DAY - DAY_MILLISECONDS), new Date(DAY + DAY_MILLISECONDS)],
);
await pool.query("update interval_coverage set quality_covered = covered");
await pool.query("update meter_latest set interval_count = 192, trusted_interval_count = 192, reading_at = $1", [
  new Date(DAY),
]);
await refreshStatistics(pool);

/** What a statement took, and what it was. */
interface Asked {
  readonly text: string;
  readonly values: readonly unknown[] | undefined;
  readonly milliseconds: number;
}

let asked: Asked[] = [];
const sql: Sql = {
  query: async (text, values) => {
    const began = performance.now();
    const answer = await pool.query(text, values);
    asked.push({ text, values, milliseconds: performance.now() - began });
    return answer;
  },
};

/** Runs it some times, and prints the median, the slowest, and what of it the slowest statement is. */
async function time(what: string, run: () => Promise<unknown>): Promise<void> {
  const took: number[] = [];
  for (let n = 0; n < RUNS; n += 1) {
    asked = [];
    const began = performance.now();
    await run();
    took.push(performance.now() - began);
  }
  took.sort((one, other) => one - other);
  const worst = asked.toSorted((one, other) => other.milliseconds - one.milliseconds)[0];
  console.log(
    `${what.padEnd(44)} ${took[RUNS >> 1]?.toFixed(0)} ms, slowest of ${RUNS} ${took.at(-1)?.toFixed(0)} ms; slowest statement ${worst?.milliseconds.toFixed(0)} ms`,
  );
  if (worst === undefined || !process.argv.includes("--plans")) return;
  const { rows } = await pool.query<{ "QUERY PLAN": string }>(`explain (analyze, buffers, costs off) ${worst.text}`, [
    ...(worst.values ?? []),
  ]);
  for (const row of rows) console.log(`    ${row["QUERY PLAN"]}`);
}

const day: SlaDay = {
  kind: "simulated",
  day: DAY,
  zone: timeZone("UTC"),
  sourceNow: DAY + DAY_MILLISECONDS + 3_600_000,
  powerQuality: true,
};
const clockOf = () => WALL_SOURCE_CLOCK;
console.log(
  `${meters.toLocaleString("en")} meters on ${Math.ceil(meters / FEEDER_METERS).toLocaleString("en")} feeders`,
);
const board = await slaBoard(sql, scope, day, Date.now());
console.log(`held ${board.held}, missing ${board.missing} of ${board.wanted}; ${board.complete} meters complete`);
await time("board of the service level", () => slaBoard(sql, scope, day, Date.now()));
await time("its gaps, a page of 500 meters", () => slaGaps(sql, scope, day, { after: 0, limit: 500 }));
await time("its gaps, the last page", () => slaGaps(sql, scope, day, { after: meters - 20_000, limit: 500 }));
const page = { after: meters - 20_000, limit: 100, find: "quarantined" } as const;
await time("overview: totals", () => overviewCounts(sql, scope, clockOf, Date.now(), 0, new Date(DAY)));
await time("overview: a line of each feeder", () => feederLines(sql, scope, clockOf, Date.now()));
await time("meters, a page of 100 lines", () =>
  meterPage(sql, scope, clockOf, Date.now(), { after: meters - 20_000, limit: 100 }),
);
await time("meters, words that none of them has", () => meterPage(sql, scope, clockOf, Date.now(), page));
const feeders = await feederLines(sql, scope, clockOf, Date.now());
console.log(
  `the overview's lines of feeders as JSON: ${(Buffer.byteLength(JSON.stringify(feeders)) / 1e6).toFixed(1)} MB`,
);

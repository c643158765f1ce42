import assert from "node:assert/strict";
import { test } from "node:test";
import { inTransaction } from "@meterkeep/postgres";
import fc from "fast-check";
import { firstRow } from "../../database/sql.ts";
import { type HeadEndDatabase, openHeadEndDatabase } from "../../testing/database.ts";
import type { ArrivedInterval } from "../arrived-interval.ts";
import { heldIntervals, heldSpan, type QualifiedInterval } from "../held-intervals.ts";
import { writeIntervals } from "../write-intervals.ts";
import { packDays } from "./pack-days.ts";

const DAY = 86_400_000;
const QUARTER = 900_000;
const START = Date.parse("2026-11-20T00:00:00Z");

interface Counts {
  readonly closed: number;
  readonly parts: number;
  readonly singles: number;
  readonly corrections: number;
}

async function counts({ pool }: HeadEndDatabase): Promise<Counts> {
  const row = await firstRow<Counts>(
    pool,
    `select (select count(*) from meter_days where part = 0)::int as closed,
       (select count(*) from meter_days where part > 0)::int as parts,
       (select count(*) from interval_readings)::int as singles,
       (select count(*) from interval_corrections)::int as corrections`,
  );
  assert.ok(row);
  return row;
}

/** Values of consecutive quarter hours of meter 0, from slot `first` of the day on. */
function quarters(
  database: HeadEndDatabase,
  first: number,
  values: readonly number[],
  more: Partial<ArrivedInterval> = {},
): ArrivedInterval[] {
  return values.map((value, n) => ({
    meter: database.meters[0]!.id,
    channel: 1,
    at: START + (first + n) * QUARTER,
    value,
    status: 0,
    evidence: 1,
    protection: "authenticated",
    trustAtCapture: "trusted",
    periodSeconds: 900,
    ...more,
  }));
}

async function write(database: HeadEndDatabase, values: readonly ArrivedInterval[]): Promise<number> {
  const added = await inTransaction(database.pool, (sql) => writeIntervals(sql, database.scope, values));
  return [...added.values()].reduce((sum, { all }) => sum + all, 0);
}

async function pack(database: HeadEndDatabase, sourceNow: number): Promise<number> {
  return packDays({ pool: database.pool, scope: database.scope, sourceNow: () => sourceNow });
}

async function heldByFirst({ pool, scope, meters }: HeadEndDatabase): Promise<readonly QualifiedInterval[]> {
  const [first] = meters;
  assert.ok(first);
  return (await heldIntervals(pool, scope, [first.id], undefined, undefined)).get(first.id) ?? [];
}

async function held(
  database: HeadEndDatabase,
): Promise<readonly (readonly [at: number, value: number, quality: string])[]> {
  return (await heldByFirst(database))
    .toSorted((one, other) => one.channel - other.channel || one.at - other.at)
    .map(({ at, value, quality }) => [(at - START) / QUARTER, value, quality] as const);
}

test("a day is closed two hours after its end, and is then one row", async () => {
  await using database = await openHeadEndDatabase(1);
  await write(
    database,
    quarters(
      database,
      1,
      Array.from({ length: 40 }, (_, n) => n),
    ),
  );
  await write(database, quarters(database, 41, [7, 8, 9]));
  assert.deepEqual(await counts(database), { closed: 0, parts: 1, singles: 3, corrections: 0 });
  assert.equal(await pack(database, START + DAY + 2 * 3_600_000 - 1), 0);
  assert.equal(await pack(database, START + DAY + 2 * 3_600_000), 1);
  assert.deepEqual(await counts(database), { closed: 1, parts: 0, singles: 0, corrections: 0 });
  const now = await held(database);
  assert.equal(now.length, 43);
  assert.deepEqual(now.at(-1), [43, 9, "actual"]);
  assert.deepEqual(await heldSpan(database.pool, database.scope, database.meters[0]!.id), {
    instants: 43,
    oldest: START + QUARTER,
    newest: START + 43 * QUARTER,
  });
  assert.equal(await pack(database, START + 2 * DAY), 0, "a closed day is not packed again");
});

test("the interval that ends at midnight belongs to the day before", async () => {
  await using database = await openHeadEndDatabase(1);
  await write(database, quarters(database, 96, [1, 2]));
  await pack(database, START + DAY + 2 * 3_600_000);
  assert.deepEqual(await counts(database), { closed: 1, parts: 0, singles: 1, corrections: 0 });
});

test("what comes for a closed day stands beside it and is called late; the same again changes nothing", async () => {
  await using database = await openHeadEndDatabase(1);
  await write(database, quarters(database, 1, [1, 2, 3]));
  await pack(database, START + 2 * DAY);
  assert.equal(await write(database, quarters(database, 1, [1, 2, 3, 4])), 1);
  assert.equal(await write(database, quarters(database, 20, [5, 5, 5, 5, 5, 5, 5, 5])), 8);
  await pack(database, START + 2 * DAY);
  assert.deepEqual(await counts(database), { closed: 1, parts: 1, singles: 1, corrections: 0 });
  const qualities = (await held(database)).map(([, , quality]) => quality);
  assert.deepEqual(qualities, ["actual", "actual", "actual", ...Array.from({ length: 9 }, () => "late")]);
});

test("a value that contradicts one that is held overwrites nothing, wherever that one is: the interval is disputed", async () => {
  for (const closes of [false, true]) {
    await using database = await openHeadEndDatabase(1);
    await write(database, quarters(database, 1, [1]));
    await write(database, quarters(database, 2, [2, 2, 2, 2, 2, 2, 2, 2]));
    if (closes) await pack(database, START + 2 * DAY);
    const wrong = [...quarters(database, 1, [10], { evidence: 2 }), ...quarters(database, 2, [20, 2], { evidence: 2 })];
    assert.equal(await write(database, wrong), 0);
    assert.equal((await counts(database)).corrections, 2);
    assert.deepEqual((await held(database)).slice(0, 3), [
      [1, 1, "disputed"],
      [2, 2, "disputed"],
      [3, 2, "actual"],
    ]);
  }
});

test("what anybody could have sent disputes nothing that is proven", async () => {
  await using database = await openHeadEndDatabase(1);
  await write(database, quarters(database, 1, [1]));
  await write(database, quarters(database, 2, [1], { protection: "none" }));
  await write(database, quarters(database, 1, [9, 9], { protection: "none", evidence: 2 }));
  assert.deepEqual(await held(database), [
    [1, 1, "actual"],
    [2, 1, "disputed"],
  ]);
});

test("an interval off its grid, or of a meter whose period nobody knows, is never packed", async () => {
  await using database = await openHeadEndDatabase(1);
  const values = quarters(database, 1, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await write(
    database,
    values.map((one) => ({ ...one, at: one.at + 1_000 })),
  );
  await write(
    database,
    values.map((one) => ({ ...one, channel: 2, periodSeconds: undefined })),
  );
  assert.deepEqual(await counts(database), { closed: 0, parts: 0, singles: 18, corrections: 0 });
  await pack(database, START + 2 * DAY);
  assert.deepEqual(await counts(database), { closed: 1, parts: 0, singles: 9, corrections: 0 });
  assert.equal((await held(database)).length, 18);
});

const step = fc.oneof(
  fc.record({
    kind: fc.constant("arrives" as const),
    first: fc.integer({ min: 1, max: 200 }),
    values: fc.array(fc.nat(2), { minLength: 1, maxLength: 30 }),
    channel: fc.integer({ min: 1, max: 2 }),
  }),
  fc.record({ kind: fc.constant("packs" as const), hours: fc.nat(72) }),
);

test("however values arrive and days are closed, each instant holds what came first, and every other value is kept beside it", async () => {
  await using database = await openHeadEndDatabase(1);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 10 }), async (steps) => {
      await database.pool.query("delete from meter_days");
      await database.pool.query("delete from interval_readings");
      await database.pool.query("delete from interval_corrections");
      const model = new Map<string, number>();
      const others = new Set<string>();
      let evidence = 0;
      for (const one of steps) {
        if (one.kind === "packs") {
          await pack(database, START + one.hours * 3_600_000);
          continue;
        }
        evidence += 1;
        const arrived = quarters(database, one.first, one.values, { channel: one.channel, evidence });
        let news = 0;
        for (const { channel, at, value } of arrived) {
          const key = `${channel} ${at}`;
          const first = model.get(key);
          if (first === undefined) {
            model.set(key, value);
            news += 1;
          } else if (first !== value) others.add(`${key} ${value} ${evidence}`);
        }
        assert.equal(await write(database, arrived), news);
      }
      const found = await heldByFirst(database);
      assert.deepEqual(new Map(found.map(({ channel, at, value }) => [`${channel} ${at}`, value])), model);
      const corrections = await database.pool.query<{ key: string }>(
        "select channel_id || ' ' || (extract(epoch from at) * 1000)::bigint || ' ' || value || ' ' || evidence_id as key from interval_corrections",
      );
      assert.deepEqual(new Set(corrections.rows.map(({ key }) => key)), others);
    }),
    { numRuns: 60 },
  );
});

test("values that come in while their day is being closed are neither lost nor there twice", async () => {
  await using database = await openHeadEndDatabase(1);
  const all = Array.from({ length: 96 }, (_, n) => n);
  await Promise.all([
    ...all.map((n) => write(database, quarters(database, n + 1, [n]))),
    ...Array.from({ length: 12 }, () => pack(database, START + 2 * DAY)),
  ]);
  assert.deepEqual(
    (await held(database)).map(([slot, value]) => [slot, value]),
    all.map((n) => [n + 1, n]),
  );
});

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { TAKEOVER_STAGES, TRUST_STATES } from "@meterkeep/api";
import { openHeadEndDatabase, testMeter, testTitle } from "../testing/database.ts";
import { WALL_SOURCE_CLOCK } from "../time/source-clock.ts";
import { feederLines, overviewCounts } from "./counts.ts";
import { meterPage, meterSummaries } from "./meter-summary.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const HOUR = 3_600_000;
const clockOf = () => WALL_SOURCE_CLOCK;

const database = await openHeadEndDatabase(0);
after(() => database[Symbol.asyncDispose]());
const { pool, scope, inventory } = database;

const PROFILES = ["idis-p2", "metcom-mcs301", "nobody-knows-it", "dsmr-5", "is15959"];
await inventory.add(
  Array.from({ length: 40 }, (_, n) => testMeter(n, { profile: PROFILES[n % 5] as string })),
  new Date(NOW),
);
await inventory.add([testMeter(90, { kind: "real", label: "Cellar 100%_own" })], new Date(NOW));
// Three feeders of thirteen meters each, whose first is the transformer's; the last meters stand outside, and one feeder is empty.
await inventory.placeOnGrid({
  utility: "utility",
  island: "island",
  substation: { id: "S1", name: "Substation" },
  feeders: Array.from({ length: 4 }, (_, n) => ({
    id: `F${n}`,
    name: `Feeder ${n}`,
    path: "wan",
    transformer: { id: `T${n}`, meter: testTitle(n < 3 ? 13 * n : 99), ratedKva: 400 },
    homes: Array.from({ length: n < 3 ? 12 : 0 }, (_, home) => ({
      meter: testTitle(13 * n + home + 1),
      label: `Home ${n}-${home}`,
      phase: "L1",
    })),
  })),
});
await pool.query(
  `update takeovers set phase = case when meter_id % 7 = 0 then 'left' when meter_id % 3 = 0 then 'in-progress' else 'done' end,
     verdict = case when meter_id % 3 = 0 then 'pending' else 'proven' end`,
);
await pool.query(
  `update trust set state = (case meter_id % 8 when 0 then 'quarantined' when 1 then 'provisional' when 3 then 'distrusted'
     when 5 then 'degraded' else 'trusted' end)::trust_state`,
);
await pool.query(
  `update meter_latest set interval_count = meter_id, trusted_interval_count = meter_id - 1, power_w = 10 * meter_id,
     supply = case meter_id % 6 when 0 then 'disconnected' when 1 then 'unknown' else 'connected' end,
     reading_at = case when meter_id % 11 = 0 then null else $1::timestamptz - meter_id * interval '3 minutes' end`,
  [new Date(NOW)],
);

test("totals that the database counts are those of the lines, whatever state meters are in", async () => {
  const lines = await meterSummaries(pool, scope, clockOf, NOW);
  const counts = await overviewCounts(pool, scope, clockOf, NOW, 3, new Date(NOW - 24 * HOUR));
  const { stale, disconnected, byTrust, byTakeover } = counts;
  assert.equal(counts.atTransformers, 3);
  assert.ok(stale > 0 && stale < lines.length && disconnected > 0);
  assert.deepEqual(
    { ...counts, byTrust: { ...byTrust }, byTakeover: { ...byTakeover } },
    {
      meters: 41,
      simulated: 40,
      real: 1,
      atTransformers: lines.filter(({ role }) => role === "transformer").length,
      connected: lines.filter(({ supply }) => supply === "connected").length,
      disconnected: lines.filter(({ supply }) => supply === "disconnected").length,
      stale: lines.filter((line) => line.stale).length,
      strangers: 3,
      intervalsTrusted: (
        await pool.query<{ n: number }>(
          "select sum(trusted_interval_count)::integer as n from meter_latest join trust using (meter_id) where state = 'trusted'",
        )
      ).rows[0]?.n,
      intervalsAll: (41 * 42) / 2,
      sessionsToday: 0,
      byTrust: Object.fromEntries(TRUST_STATES.map((state) => [state, lines.filter((l) => l.trust === state).length])),
      byTakeover: Object.fromEntries(
        TAKEOVER_STAGES.map((stage) => [stage, lines.filter((line) => line.takeover === stage).length]),
      ),
    },
  );
});

/** What a feeder's line counts as set aside. */
const DOUBTED: readonly string[] = ["quarantined", "distrusted", "degraded"];

test("a feeder's line counts its homes, and has its transformer's load", async () => {
  const lines = await meterSummaries(pool, scope, clockOf, NOW);
  const feeders = await feederLines(pool, scope, clockOf, NOW);
  assert.deepEqual(
    feeders.map(({ id }) => id),
    ["F0", "F1", "F2", "F3"],
  );
  for (const state of DOUBTED) assert.ok(lines.some(({ trust, feeder }) => trust === state && feeder !== undefined));
  for (const feeder of feeders) {
    const own = lines.filter((line) => line.feeder === feeder.id);
    const homes = own.filter(({ role }) => role === "home");
    const transformer = own.find(({ role }) => role === "transformer");
    assert.deepEqual(
      { ...feeder },
      {
        id: feeder.id,
        name: feeder.id.replace("F", "Feeder "),
        homes: homes.length,
        connected: homes.filter(({ supply }) => supply === "connected").length,
        disconnected: homes.filter(({ supply }) => supply === "disconnected").length,
        stale: own.filter(({ stale }) => stale).length,
        quarantined: own.filter(({ trust }) => DOUBTED.includes(trust)).length,
        ...(transformer === undefined
          ? {}
          : {
              transformerMeter: transformer.systemTitle,
              loadW: transformer.powerW,
              ...(transformer.lastReadingAt === undefined ? {} : { loadAt: transformer.lastReadingAt }),
              loadTrust: transformer.trust,
            }),
      },
    );
  }
});

test("pages have each line once, and only those that fit what was asked", async () => {
  const all = await meterSummaries(pool, scope, clockOf, NOW);
  const titles: string[] = [];
  let pages = 0;
  for (let after: string | undefined = "0"; after !== undefined; pages += 1) {
    const page: Awaited<ReturnType<typeof meterPage>> = await meterPage(pool, scope, clockOf, NOW, {
      after: Number(after),
      limit: 9,
    });
    titles.push(...page.meters.map(({ systemTitle }) => systemTitle));
    after = page.next;
  }
  assert.equal(pages, 5);
  assert.deepEqual(titles.toSorted(), all.map(({ systemTitle }) => systemTitle).toSorted());
  const first = { after: 0, limit: 100 };
  const found = async (asked: Partial<Parameters<typeof meterPage>[4]>) =>
    (await meterPage(pool, scope, clockOf, NOW, { ...first, ...asked })).meters;
  const dark = all.filter(({ supply, feeder }) => supply === "disconnected" && feeder === "F1");
  assert.ok(dark.length > 0);
  assert.deepEqual(
    (await found({ supply: "disconnected", feeder: "F1" })).map(({ systemTitle }) => systemTitle).toSorted(),
    dark.map(({ systemTitle }) => systemTitle).toSorted(),
  );
  const [one] = all;
  assert.deepEqual(
    (await found({ find: `${one?.systemTitle.toLowerCase()} ${one?.trust}` })).map(({ systemTitle }) => systemTitle),
    [one?.systemTitle],
  );
  // What is typed is text, not a pattern.
  assert.deepEqual(
    (await found({ find: "100%_own CELLAR" })).map(({ label }) => label),
    ["Cellar 100%_own"],
  );
  assert.deepEqual(await found({ find: "%" }).then((lines) => lines.length), 1);
  assert.deepEqual(await found({ kind: "real", trust: "trusted", find: "home" }), []);
});

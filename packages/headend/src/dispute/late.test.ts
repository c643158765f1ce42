import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inTransaction } from "@meterkeep/postgres";
import { trustScores } from "../plausibility/write-findings.ts";
import { type HeadEndDatabase, openHeadEndDatabase } from "../testing/database.ts";
import { at, BY, disputeBench, evidence, NOON, off, ROWS, record, WINDOW } from "../testing/dispute-bench.ts";
import { interrupted, somebodyWaits } from "../testing/interrupted.ts";
import { qualityReadings } from "../view/power-quality.ts";
import { profileReadings, registerReadings } from "../view/readings.ts";
import { type RecordSettled, settleDisputes } from "./settle.ts";

type Pool = HeadEndDatabase["pool"];

let database: HeadEndDatabase;
before(async () => {
  database = await openHeadEndDatabase(10);
  await database.pool.query("update trust set state = 'trusted'");
});
after(() => database[Symbol.asyncDispose]());

const { store, beginToStore, find, look, settle, shown, listed, isNoGround } = disputeBench(() => database);

test("what is being written while somebody decides is waited for, and seen: it is not settled by who has not seen it", async () => {
  const meter = 0;
  const settlement = { verdict: "accepted", from: at(0), to: at(4) } as const;
  await store(meter, [1]);
  await find(meter, "P-1", 0, 4);
  const end = await beginToStore(meter, [2]);
  const { digest } = await look([meter], settlement);
  const { pool, scope, meters } = database;
  const settling = settleDisputes(
    pool,
    scope,
    [meters[meter]!],
    { ...settlement, ...BY },
    { now: () => NOON, act: { digest, record }, pause: end },
  );
  try {
    await assert.rejects(settling, { code: "dispute-changed", message: /values: 3 then, 6 now/ });
  } finally {
    await end();
  }
  assert.deepEqual((await shown(meter)).intervals, ["disputed", "disputed"]);
  await settle([meter], settlement);
  assert.deepEqual((await shown(meter)).intervals, ["accepted", "accepted"]);
});

test("what began to be written before somebody decided, and ends after that, is told by a finding of its own and stands in dispute", async () => {
  const meter = 1;
  await store(meter, [1]);
  await find(meter, "P-1", 0, 4);
  // Its evidence is older than that of the next, and it ends later.
  const end = await beginToStore(meter, [2], /update meter_latest/);
  await store(meter, [3]);
  await settle([meter], { verdict: "accepted", from: at(0), to: at(4) });
  await end();
  assert.deepEqual((await shown(meter)).intervals, ["accepted", "disputed", "accepted"]);
  assert.deepEqual(await listed(meter), ["P-1  4 accepted", ...ROWS.map((rows) => `P-1 ${rows} 2 disputed`)]);
  assert.equal(await isNoGround(meter), true);
});

test("what comes while somebody is deciding waits until that is decided, and is told as late", async () => {
  const meter = 2;
  const settlement = { verdict: "rejected", from: at(0), to: at(4) } as const;
  await store(meter, [1]);
  await find(meter, "P-1", 0, 4);
  const { digest } = await look([meter], settlement);
  const { pool, scope, meters } = database;
  let writing: Promise<void> | undefined;
  const act = {
    digest,
    record: async (settled: Parameters<RecordSettled>[0]) => {
      writing = store(meter, [2]);
      await Promise.race([writing, somebodyWaits(pool)]);
      return record(settled, digest);
    },
  };
  await settleDisputes(pool, scope, [meters[meter]!], { ...settlement, ...BY }, { now: () => NOON, act });
  await writing;
  assert.deepEqual((await shown(meter)).intervals, ["rejected", "disputed"]);
  assert.deepEqual(await listed(meter), ["P-1  4 rejected", ...ROWS.map((rows) => `P-1 ${rows} 2 disputed`)]);
});

test("of two who settle the same at once one is told that it is not what was looked at", async () => {
  const meter = 8;
  const settlement = { verdict: "accepted", from: at(0), to: at(4) } as const;
  await store(meter, [1]);
  await find(meter, "P-1", 0, 4);
  const { pool, scope, meters } = database;
  const { digest } = await look([meter], settlement);
  const other = () => settle([meter], { ...settlement, verdict: "rejected" }, digest);
  const overtaken = settleDisputes(
    interrupted(pool, "before", /nowait/, other),
    scope,
    [meters[meter]!],
    { ...settlement, ...BY },
    { now: () => NOON, act: { digest, record }, pause: async () => undefined },
  );
  await assert.rejects(overtaken, { code: "dispute-changed" });
  assert.deepEqual((await shown(meter)).intervals, ["rejected"]);
});

test("what comes beside what is in dispute, while it is settled, stands in nobody's way", async () => {
  const meter = 9;
  const settlement = { verdict: "accepted", from: at(0), to: at(4) } as const;
  await store(meter, [1]);
  await find(meter, "P-1", 0, 2);
  const { pool, scope, meters } = database;
  const { digest } = await look([meter], settlement);
  const meanwhile = interrupted(pool, "before", /nowait/, () => store(meter, [3]));
  const ports = { now: () => NOON, act: { digest, record }, pause: async () => assert.fail("nobody waits") };
  await settleDisputes(meanwhile, scope, [meters[meter]!], { ...settlement, ...BY }, ports);
  assert.deepEqual((await shown(meter)).intervals, ["accepted", "actual"]);
});

test("what is read with several statements is of one moment: a value that comes between them with its dispute is in none of it", async () => {
  const meter = 3;
  const of = database.meters[meter]!;
  const { pool, scope } = database;
  const views = [
    async (from: Pool) => (await registerReadings(from, scope, of, WINDOW)).readings.length,
    async (from: Pool) => (await profileReadings(from, scope, of, WINDOW)).rows.length,
    async (from: Pool) => (await qualityReadings(from, scope, of, WINDOW)).rows.filter((row) => row.decisive).length,
  ];
  for (const [n, view] of views.entries()) {
    let isDone = false;
    const between = interrupted(pool, "behind", /from dispute_decisions/, async () => {
      await store(meter, [n], { clockOff: { ...off, seenAt: at(n) } });
      isDone = true;
    });
    assert.equal(await view(between), 0);
    assert.equal(isDone, true);
  }
});

test("another value for a moment that was settled is a finding of its own, until somebody has settled that as well", async () => {
  const meter = 4;
  const others = { registers: [], quality: [] };
  await store(meter, [1, 2]);
  await find(meter, "P-1", 0, 1);
  await settle([meter], { verdict: "accepted", from: at(0), to: at(1) });
  await store(meter, [1], others, 900);
  assert.deepEqual((await shown(meter)).intervals, ["disputed", "actual"]);
  const seen = ["P-1  1 accepted", "P-1 intervals 1 disputed"];
  assert.deepEqual([await listed(meter), await isNoGround(meter)], [seen, true]);
  // While that is open no more are made.
  await store(meter, [1], others, 901);
  assert.deepEqual(await listed(meter), seen);
  await settle([meter], { verdict: "accepted", from: at(0), to: at(1) });
  assert.deepEqual((await shown(meter)).intervals, ["accepted", "actual"]);
  assert.deepEqual(
    [await listed(meter), await isNoGround(meter)],
    [["P-1  1 accepted", "P-1 intervals 1 accepted"], false],
  );
  // Nothing was ever found about the second, and other values were settled.
  await store(meter, [2], others, 902);
  assert.deepEqual((await listed(meter)).length, 2);
  await settle([meter], { verdict: "rejected", from: at(1), to: at(2) });
  await store(meter, [2], others, 903);
  assert.deepEqual((await listed(meter)).slice(2), ["P-8 intervals 2 disputed"]);
  await settle([meter], { verdict: "rejected", from: at(1), to: at(2) });
  assert.deepEqual(await shown(meter), {
    intervals: ["accepted", "rejected"],
    registers: ["accepted", "undisputed"],
    quality: ["accepted true", "undisputed true"],
    decisive: [1],
  });
});

test("a meter that gives more and more of a time that was settled makes a list that ends, and all of it stands in dispute", async () => {
  const meter = 5;
  await store(meter, [1]);
  await find(meter, "P-1", 0, 4);
  const settlement = { verdict: "accepted", from: at(0), to: at(4) } as const;
  await settle([meter], settlement);
  const energy = { obis: "1-0:1.8.0", unit: "Wh", value: 7 };
  const moments = Array.from({ length: 24 }, (_, n) => at(1) + (n + 1) * 1_000);
  for (const moment of moments)
    await store(meter, [], { registers: [{ ...energy, at: moment, evidence: evidence() }] });
  const findings = await listed(meter);
  assert.equal(findings.length, 1 + 16 + 1);
  assert.equal(findings.at(-1), "P-1 registers 4 disputed");
  const standings = async () => new Set((await shown(meter)).registers.slice(1));
  assert.deepEqual(await standings(), new Set(["disputed"]));
  await settle([meter], settlement);
  assert.deepEqual(await standings(), new Set(["accepted"]));
  assert.deepEqual((await listed(meter)).slice(-1), ["P-1 registers 4 accepted"]);
  // Beside the finding nothing is in doubt, and after another decision they are told one by one again.
  await store(meter, [5]);
  await store(meter, [], { registers: [{ ...energy, at: at(2), evidence: evidence() }] });
  assert.deepEqual((await listed(meter)).slice(18), ["P-1 registers 2 disputed"]);
});

test("P-8: what a clock has dated before it was set, and comes after that, is disputed; what was held before and what it dates since is not", async () => {
  const { pool, scope, meters } = database;
  const meter = 6;
  await store(meter, [1, 2], { covered: [{ from: at(-6_000), to: at(2) }] });
  const set = { offsetSeconds: -300, isIncident: false, seenAt: at(5), shown: at(5) - 300_000 };
  await store(meter, [], { clockSet: set });
  await store(meter, [1, 2, 3, 4, 5]);
  const standings = ["undisputed", "undisputed", "disputed", "disputed", "undisputed"];
  assert.deepEqual(await shown(meter), {
    intervals: ["actual", "actual", "disputed", "disputed", "actual"],
    registers: standings,
    quality: standings.map((one) => `${one} ${one === "undisputed"}`),
    decisive: [1, 2, 5],
  });
  assert.equal(await isNoGround(meter), true);
  const { id } = meters[meter]!;
  assert.equal((await trustScores(pool, scope, [id], at(5))).get(id)?.toFixed(3), "92.500");
  await settle([meter], { verdict: "accepted", from: at(2), to: at(5) });
  assert.deepEqual((await shown(meter)).decisive, [1, 2, 3, 4, 5]);
  assert.equal(await isNoGround(meter), false);
  // Nothing is missing of the time before: nothing can come of it.
  const other = 7;
  await store(other, [1], { covered: [{ from: at(-6_000), to: at(5) }] });
  await store(other, [], { clockSet: set });
  assert.deepEqual(await listed(other), []);
});

test("who writes readings reads the decisions about those meters alone, also where nobody has counted how many there are", async () => {
  // Of its own: how a statement is carried out is planned when it is asked for first.
  await using own = await openHeadEndDatabase(2);
  const { pool, scope, meters } = own;
  await pool.query(
    `insert into dispute_decisions (utility_id, island_id, meter_id, from_at, to_at, verdict, findings, contradictions, seen_to,
       decided_at, by_whom, reason, sequence)
     select $1, $2, $3, $4, $5, 'accepted', '{}', '{}', 0, now(), 'Otto', 'many', n from generate_series(1, 5000) n`,
    [...scope.place, meters[1]!.id, new Date(at(0)), new Date(at(4))],
  );
  const read = await inTransaction(pool, async (sql) => {
    await disputeBench(() => own).storeWith(sql, 0, [1]);
    const { rows } = await sql.query(
      `select (seq_tup_read + coalesce(idx_tup_fetch, 0))::integer as read from pg_stat_xact_user_tables
       where relname = 'dispute_decisions'`,
    );
    return (rows as { read: number }[])[0]?.read;
  });
  assert.equal(read, 0);
});

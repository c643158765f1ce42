import assert from "node:assert/strict";
import { test } from "node:test";
import { createPool } from "@meterkeep/postgres";
import { openTestDatabase, type TestDatabase, withTestDatabase } from "@meterkeep/postgres/testing";
import type { CustodyError } from "../errors.ts";
import { CUSTODY_MIGRATIONS } from "../store/postgres-store.ts";
import { cutDatabase } from "../testing/cut-database.ts";
import { becomeInstance } from "./instance.ts";

const migrations = CUSTODY_MIGRATIONS;
const never = (error: Error) => assert.fail(error);
const instance = (
  pool: Parameters<typeof becomeInstance>[0],
  change: Partial<Parameters<typeof becomeInstance>[1]> = {},
) => becomeInstance(pool, { holder: "test", onLost: never, ...change });

const KEEP_POLICY = `insert into key_policies (utility, island, crypto_period_days, count_limit, per_hour, retain_days)
  values ('*', $1, 730, 1000, 1, 1)`;

const poolOf = ({ url }: TestDatabase) => createPool(url, { applicationName: "custodian" });

test("one custodian holds a database; the next one waits its turn or is refused", () =>
  withTestDatabase({ migrations }, async (database) => {
    const [one, other] = [poolOf(database), poolOf(database)];
    const first = await instance(one);
    await assert.rejects(instance(other, { waitMilliseconds: 0 }), { code: "custody-already-running" });
    const waiting = instance(other);
    await first.release();
    const second = await waiting;
    assert.equal(second.epoch, first.epoch + 1);
    await second.release();
    await Promise.all([one.end(), other.end()]);
  }));

test("a custodian whose sessions break is the custodian still, and keeps its epoch", () =>
  withTestDatabase({ migrations }, async (database) => {
    const own = createPool(database.url, { applicationName: "holder", onIdleError: () => undefined });
    const admin = createPool(database.adminUrl, { applicationName: "admin" });
    const held = await instance(own);
    await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'holder'");
    const locks = "select count(*)::int as count from pg_locks where locktype = 'advisory' and granted";
    for (;;) {
      const { rows } = await admin.query<{ count: number }>(locks);
      if (rows[0]?.count === 1) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    held.check();
    // A session that was ended and has not heard of it yet fails its next query, once.
    const isEnded = (error: unknown): boolean => (error as { code?: string }).code === "57P01";
    for (let kept = false; !kept; )
      kept = await own.query(KEEP_POLICY, ["main"]).then(
        () => true,
        (error: unknown) => {
          if (!isEnded(error)) throw error;
          return false;
        },
      );
    await held.release();
    await Promise.all([own.end(), admin.end()]);
  }));

test("a standby takes the place of one that is gone at once, and of one that stands still after a while; what that one still writes is refused", async () => {
  await using database = await openTestDatabase({ migrations });
  const [old, next, owner] = [
    poolOf(database),
    poolOf(database),
    createPool(database.adminUrl, { applicationName: "o" }),
  ];
  const lost: CustodyError[] = [];
  const first = await instance(old, { onLost: (error) => lost.push(error) });
  await old.query(KEEP_POLICY, ["before"]);
  // It is in the middle of something, and its process stands still: its timers do nothing more, its sessions stay.
  const stuck = await old.connect();
  stuck.on("error", () => undefined);
  await stuck.query("begin");
  await stuck.query(KEEP_POLICY, ["stuck"]);
  const beat = old.query.bind(old);
  Object.assign(old, { query: () => new Promise(() => undefined) });
  const second = await instance(next, { silentMilliseconds: 1500 });
  assert.equal(second.epoch, first.epoch + 1);
  await assert.rejects(stuck.query("commit"));
  stuck.release(true);
  // It wakes up.
  Object.assign(old, { query: beat });
  await assert.rejects(old.query(KEEP_POLICY, ["after"]), { code: "MK001" });
  for (const statement of [
    "update send_counters set next = next + 1",
    "insert into ledger select * from ledger",
    "insert into vault_keys select * from vault_keys",
  ])
    await assert.rejects(old.query(statement), { code: "MK001" }, statement);
  while (lost.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(lost[0]?.code, "custody-fenced");
  assert.throws(() => first.check(), { code: "custody-fenced" });
  await next.query(KEEP_POLICY, ["now"]);
  // A session that says nothing of an epoch writes nothing either; the owner of the schema does.
  const plain = poolOf(database);
  await assert.rejects(plain.query(KEEP_POLICY, ["plain"]), { code: "MK001" });
  await owner.query(KEEP_POLICY, ["owner"]);
  const { rows } = await owner.query<{ island: string }>("select island from key_policies order by island");
  assert.deepEqual(
    rows.map(({ island }) => island),
    ["before", "now", "owner"],
  );
  await second.release();
  await Promise.all([old, next, owner, plain].map((pool) => pool.end()));
});

test("of many that want the place exactly one has it, again and again", async () => {
  await using database = await openTestDatabase({ migrations });
  const pools = Array.from({ length: 3 }, () => poolOf(database));
  const epochs: number[] = [];
  let holders = 0;
  await Promise.all(
    pools.map(async (pool) => {
      for (let turn = 0; turn < 2; turn += 1) {
        const held = await instance(pool, { silentMilliseconds: 60_000 });
        holders += 1;
        assert.equal(holders, 1);
        epochs.push(held.epoch);
        await pool.query(KEEP_POLICY, [String(held.epoch)]);
        holders -= 1;
        await held.release();
      }
    }),
  );
  assert.deepEqual(epochs, [1, 2, 3, 4, 5, 6]);
  await Promise.all(pools.map((pool) => pool.end()));
});

test("a claim that is cut off at any statement leaves the place to the next one, and what it still writes is refused", async () => {
  await using database = await openTestDatabase({ migrations });
  await using cut = await cutDatabase(database.url);
  const direct = poolOf(database);
  let statements = 1;
  let epoch = 0;
  for (let after = 0; after <= statements; after += 1) {
    const options = { applicationName: "cut", onIdleError: () => undefined };
    const pool = createPool(cut.through(database.url), options);
    cut.cutAfter(after === 0 ? undefined : after - 1);
    const claimed = await instance(pool, { waitMilliseconds: 0, onLost: () => undefined }).catch(() => undefined);
    // The first one is not cut, and says how many there are.
    if (after === 0) statements = cut.passed;
    cut.cutAfter(0);
    const next = await instance(direct, { silentMilliseconds: 60_000 });
    assert.ok(next.epoch > epoch, `cut after ${after}`);
    epoch = next.epoch;
    await direct.query(KEEP_POLICY, [`epoch ${epoch}`]);
    cut.cutAfter(undefined);
    await assert.rejects(pool.query(KEEP_POLICY, [`late ${after}`]), { code: "MK001" }, `cut after ${after}`);
    await claimed?.release();
    await next.release();
    await pool.end();
  }
  assert.ok(statements > 4, `${statements} statements`);
  await direct.end();
});

test("every table that the custodian writes asks for the epoch", () =>
  withTestDatabase({ migrations }, async ({ pool }) => {
    const held = await instance(pool);
    const { rows } = await pool.query<{ name: string }>(
      `select relname as name from pg_class c where relnamespace = 'public'::regnamespace and relkind = 'r'
       and not exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'fenced') order by 1`,
    );
    assert.deepEqual(
      rows.map(({ name }) => name),
      ["custodian_instance", "restorations", "schema_migration"],
    );
    await held.release();
  }));

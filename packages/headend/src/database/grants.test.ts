import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { connectionOf, createPool, migrate, prepareSchema, provision } from "@meterkeep/postgres";
import { openTestDatabase, testServerUrl } from "@meterkeep/postgres/testing";
import { Inventory } from "../inventory/inventory.ts";
import { openHeadEndDatabase, testMeter } from "../testing/database.ts";
import { HEADEND_MIGRATIONS } from "./migrations.ts";
import { openScope } from "./scope.ts";
import { refreshStatistics } from "./statistics.ts";

const MIGRATIONS = fileURLToPath(new URL("../../migrations/", import.meta.url));
/** SQLSTATE insufficient_privilege. */
const DENIED = { code: "42501" };

test("the head-end's role can neither change the schema nor rewrite what was said and decided", async () => {
  await using database = await openHeadEndDatabase(1);
  for (const statement of [
    "drop table meters",
    "alter table ledger disable trigger all",
    "create table more (a integer)",
    "truncate ledger",
    "delete from ledger",
    "update ledger set body = ''",
    "delete from trust_history",
    "update trust_history set state = 'trusted'",
    "delete from trust",
    "delete from takeovers",
    "delete from meters",
    "update meters set system_title = system_title",
    "update evidence set octets = ''",
    "update interval_readings set value = 0",
    "update register_readings set number_value = 0",
    "update sessions set outcome = 'done'",
    "delete from drills",
    "delete from work",
    "delete from people",
    "update people set name = 'Somebody else'",
    "update machine_tokens set scope = 'admin'",
    "select * from settings",
  ])
    await assert.rejects(database.pool.query(statement), DENIED, statement);
});

test("every table that the schema has is granted as far as it is used, and nothing is granted that is not there", async () => {
  await using database = await openHeadEndDatabase(0);
  const { rows } = await database.pool.query<{ name: string; readable: boolean }>(
    `select relname as name, has_table_privilege(oid, 'select') as readable from pg_class
     where relnamespace = 'public'::regnamespace and relkind = 'r'`,
  );
  assert.deepEqual(
    rows.filter(({ readable }) => !readable).map(({ name }) => name),
    ["settings"],
  );
});

test("a head-end's database from before its owner was split off goes over to the owner with everything in it", async () => {
  const before = mkdtempSync(join(tmpdir(), "meterkeep-migrations-"));
  await using database = await openTestDatabase();
  try {
    const names = readdirSync(MIGRATIONS).sort();
    for (const name of names) if (name < "0010") cpSync(join(MIGRATIONS, name), join(before, name));
    const since = names.filter((name) => name >= "0010").map((name) => `headend/${name}`);
    const [ledger] = HEADEND_MIGRATIONS;
    await migrate(database.pool, [ledger!, { component: "headend", directory: before }], { version: "before" });
    const scope = await openScope(database.pool, "utility", "island");
    await new Inventory(database.pool, scope).add([testMeter(0)], new Date());

    const serverUrl = await testServerUrl();
    const password = decodeURIComponent(new URL(database.url).password);
    const owner = { role: `${database.database}_owner`, password: "owner" };
    const own = { database: database.database, role: database.role, password, owner };
    for (const applied of [since, []]) {
      const [url] = await provision(serverUrl, [own]);
      const pool = createPool(url!, { applicationName: "test", maxConnections: 1 });
      try {
        const ownerUrl = connectionOf(serverUrl, own, owner);
        const report = await prepareSchema({ pool, ownerUrl, sources: HEADEND_MIGRATIONS, version: "now" });
        assert.deepEqual(report.applied, applied);
        const inventory = new Inventory(pool, await openScope(pool, "utility", "island"));
        assert.equal((await inventory.all()).length, applied.length === 0 ? 2 : 1, "what was there is there");
        await inventory.add([testMeter(1)], new Date());
        await refreshStatistics(pool);
        await assert.rejects(pool.query("drop table meters"), DENIED);
        await assert.rejects(pool.query("delete from trust_history"), DENIED);
      } finally {
        await pool.end();
      }
    }
  } finally {
    rmSync(before, { recursive: true });
  }
});

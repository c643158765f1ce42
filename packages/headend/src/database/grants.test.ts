import assert from "node:assert/strict";
import { test } from "node:test";
import { openHeadEndDatabase } from "../testing/database.ts";

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

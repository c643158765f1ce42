import assert from "node:assert/strict";
import { test } from "node:test";
import { createPool } from "@meterkeep/postgres";
import { openTestDatabase } from "@meterkeep/postgres/testing";
import { ForeignRules } from "./foreign-rules.ts";
import { CUSTODY_MIGRATIONS } from "./postgres-store.ts";

const NOTHING = "language plpgsql as $$ begin return null; end $$";

/** What somebody makes who owns the database, how it is taken out again, and how it is told. */
const MADE: readonly (readonly [made: string, out: string, told: RegExp])[] = [
  [
    "alter table ledger enable row level security",
    "alter table ledger disable row level security",
    /row level security of ledger/,
  ],
  [
    "create rule aside as on insert to authority do also nothing",
    "drop rule aside on authority",
    /rule aside of authority/,
  ],
  [
    "alter table meters rename to others; create view meters as select * from others",
    "drop view meters; alter table others rename to meters",
    /rule _RETURN of meters; table meters is none/,
  ],
  ["create table below () inherits (send_counters)", "drop table below", /a table above or below send_counters/],
  [
    `create function aside() returns trigger ${NOTHING}; create trigger aside before insert on ledger for each row execute function aside()`,
    "drop function aside cascade",
    /the function aside/,
  ],
  [
    "create temporary table was as select prosrc from pg_proc where proname = 'require_instance'; create or replace function require_instance() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$ begin return null; end $$",
    "do $$ begin execute format('create or replace function require_instance() returns trigger language plpgsql security definer set search_path = public, pg_temp as %L', (select prosrc from was)); drop table was; end $$",
    /the function require_instance/,
  ],
  [
    "alter function require_instance() reset search_path",
    "alter function require_instance() set search_path = public, pg_temp",
    /the function require_instance/,
  ],
  [
    "create function fits(text) returns boolean language plpgsql immutable as $$ begin return true; end $$; alter table ledger add constraint fitting check (fits(body))",
    "alter table ledger drop constraint fitting; drop function fits(text)",
    /function fits that table ledger is checked or indexed by/,
  ],
  [
    "create function within(bigint, int8multirange) returns boolean language sql as 'select true'; create operator <@ (leftarg = bigint, rightarg = int8multirange, function = within)",
    "drop operator <@ (bigint, int8multirange); drop function within",
    /operator <@/,
  ],
  [
    "create function upper(bytea) returns text language sql as 'select null'",
    "drop function public.upper(bytea)",
    /function upper/,
  ],
  [
    "create function left(varchar, integer) returns text language sql as 'select null'",
    "drop function public.left(varchar, integer)",
    /function left/,
  ],
  [
    "alter table ledger add column other text generated always as (kind) stored",
    "alter table ledger drop column other",
    /column other of ledger/,
  ],
];

test("what could answer otherwise than by the rows of the custodian's tables is told by name, and nothing is where only migrations have made something", async () => {
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  const [custodian, owner] = [database.url, database.adminUrl].map((url) =>
    createPool(url, { applicationName: "test", maxConnections: 1 }),
  ) as [ReturnType<typeof createPool>, ReturnType<typeof createPool>];
  try {
    const rules = await ForeignRules.of(CUSTODY_MIGRATIONS);
    await rules.require(custodian);
    for (const [made, out, told] of MADE) {
      await owner.query(made);
      await assert.rejects(rules.require(custodian), { code: "ledger-under-rules", message: told }, made);
      await owner.query(out);
      await rules.require(custodian);
    }
    await custodian.query("set search_path = public, pg_catalog");
    await assert.rejects(rules.require(custodian), { code: "ledger-under-rules", message: /the search path public/ });
  } finally {
    await Promise.all([custodian.end(), owner.end()]);
  }
});

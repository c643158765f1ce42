import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import { type MigrationSource, migrate } from "./migrate.ts";
import { withTestDatabase } from "./testing/test-database.ts";

const program = { version: "1.0.0" };
let base: string;
before(() => {
  base = mkdtempSync(`${tmpdir()}/migrate-`);
});
after(() => rmSync(base, { recursive: true, force: true }));

function source(component: string, files: Readonly<Record<string, string>>): MigrationSource {
  const directory = `${base}/${component}`;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const [name, sql] of Object.entries(files)) writeFileSync(`${directory}/${name}`, sql);
  return { component, directory };
}

const ONE = { "0001-one.sql": "create table one (a integer); insert into one values (1);" };
const TWO = { ...ONE, "0002-two.sql": "alter table one add column b integer;" };

test("each file is applied once, in order, and several packages share a database", async () => {
  await withTestDatabase({}, async ({ pool }) => {
    const other = source("other", { "0001-first.sql": "create table other (x integer references one_key (a))" });
    const first = await migrate(
      pool,
      [source("app", { "0001-one.sql": "create table one_key (a integer primary key)" }), other],
      program,
    );
    assert.deepEqual(first, { applied: ["app/0001-one.sql", "other/0001-first.sql"], alreadyThere: 0 });
    const again = await migrate(pool, [{ ...other, component: "app", directory: `${base}/app` }, other], program);
    assert.deepEqual(again, { applied: [], alreadyThere: 2 });
  });
});

test("processes that start together apply each file once", async () => {
  await withTestDatabase({ maxConnections: 6 }, async ({ pool }) => {
    const sources = [source("together", TWO)];
    const reports = await Promise.all(Array.from({ length: 5 }, () => migrate(pool, sources, program)));
    assert.equal(reports.flatMap(({ applied }) => applied).length, 2);
    const { rows } = await pool.query("select a, b from one");
    assert.deepEqual(rows, [{ a: 1, b: null }]);
  });
});

test("a database that is newer than the program is refused and names the version that made it", async () => {
  await withTestDatabase({}, async ({ pool }) => {
    await migrate(pool, [source("newer", TWO)], { version: "2.0.0" });
    await assert.rejects(migrate(pool, [source("newer", ONE)], program), {
      code: "schema-newer-than-program",
      message: /newer\/0002-two\.sql, applied by version 2\.0\.0, which this version 1\.0\.0 does not know/,
    });
  });
});

test("a file that was changed after it was applied is refused", async () => {
  await withTestDatabase({}, async ({ pool }) => {
    await migrate(pool, [source("changed", ONE)], program);
    const changed = source("changed", { "0001-one.sql": `${ONE["0001-one.sql"]} -- better` });
    await assert.rejects(migrate(pool, [changed], program), { code: "migration-changed" });
  });
});

test("a file that fails leaves no trace, names its line, and keeps what was applied before it", async () => {
  await withTestDatabase({}, async ({ pool }) => {
    const broken = source("broken", { ...ONE, "0002-bad.sql": "create table kept (a integer);\nselect nonsense;\n" });
    await assert.rejects(migrate(pool, [broken], program), {
      code: "migration-failed",
      message: /broken\/0002-bad\.sql: .*nonsense.*\(line 2\)/,
    });
    const { rows } = await pool.query("select to_regclass('one') as one, to_regclass('kept') as kept");
    assert.deepEqual(rows, [{ one: "one", kept: null }]);
    const fixed = source("broken", { ...ONE, "0002-bad.sql": "create table kept (a integer)" });
    assert.deepEqual((await migrate(pool, [fixed], program)).applied, ["broken/0002-bad.sql"]);
  });
});

test("numbers that leave a gap are refused before anything is applied", async () => {
  await withTestDatabase({}, async ({ pool }) => {
    const gap = source("gap", { "0001-one.sql": "select 1", "0003-three.sql": "select 1" });
    await assert.rejects(migrate(pool, [gap], program), {
      code: "migrations-invalid",
      message: /gap\/0003-three\.sql must be named 0002-/,
    });
  });
});

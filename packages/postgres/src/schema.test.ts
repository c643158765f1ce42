import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import pg from "pg";
import type { MigrationSource } from "./migrate.ts";
import { createPool } from "./pool.ts";
import { connectionOf, provision } from "./provision.ts";
import { prepareSchema } from "./schema.ts";
import { testServerUrl } from "./testing/test-database.ts";

interface Bench {
  readonly pool: pg.Pool;
  readonly source: MigrationSource;
  /** A new password for the owner, as every start gives it. */
  renew(): Promise<string>;
  add(name: string, sql: string): void;
}

async function withBench(body: (bench: Bench) => Promise<void>): Promise<void> {
  const url = await testServerUrl();
  const database = `schema_${randomBytes(5).toString("hex")}`;
  const directory = mkdtempSync(`${tmpdir()}/schema-`);
  const own = { database, role: database, password: "own" };
  const renew = async () => {
    const owner = { role: `${database}_owner`, password: randomBytes(8).toString("hex") };
    await provision(url, [{ ...own, owner }]);
    return connectionOf(url, own, owner);
  };
  await renew();
  const pool = createPool(connectionOf(url, own, own), { applicationName: "test", maxConnections: 2 });
  const source = { component: "app", directory, grants: { one: "select, insert" } };
  try {
    await body({ pool, source, renew, add: (name, sql) => writeFileSync(`${directory}/${name}`, sql) });
  } finally {
    await pool.end();
    rmSync(directory, { recursive: true });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`drop database "${database}" with (force)`);
    await client.query(`drop role "${database}"; drop role "${database}_owner"`);
    await client.end();
  }
}

test("the owner makes the schema, the role at run time gets what is granted and no more, and the owner's password is used up", () =>
  withBench(async ({ pool, source, renew, add }) => {
    add("0001-one.sql", "create table one (a integer)");
    const ownerUrl = await renew();
    const options = { pool, ownerUrl, sources: [source], version: "1" };
    assert.deepEqual((await prepareSchema(options)).applied, ["app/0001-one.sql"]);
    await pool.query("insert into one values (1)");
    for (const statement of ["delete from one", "update one set a = 2", "alter table one disable trigger all"])
      await assert.rejects(pool.query(statement), { code: "42501" }, statement);
    const owner = new pg.Client({ connectionString: ownerUrl });
    await assert.rejects(owner.connect(), { code: "28P01" });
    assert.deepEqual(await prepareSchema(options), { applied: [], alreadyThere: 0 }, "a process that starts again");
    add("0002-two.sql", "alter table one add column b integer");
    await assert.rejects(prepareSchema(options), { code: "schema-owner-missing", message: /app\/0002-two\.sql/ });
    const renewed = { ...options, ownerUrl: await renew() };
    assert.deepEqual((await prepareSchema(renewed)).applied, ["app/0002-two.sql"]);
  }));

test("what is no longer granted is taken back, and a source that grants nothing is refused", () =>
  withBench(async ({ pool, source, renew, add }) => {
    add("0001-one.sql", "create table one (a integer)");
    await prepareSchema({ pool, ownerUrl: await renew(), sources: [source], version: "1" });
    const less = { ...source, grants: { one: "select" } };
    await prepareSchema({ pool, ownerUrl: await renew(), sources: [less], version: "1" });
    await assert.rejects(pool.query("insert into one values (1)"), { code: "42501" });
    const { grants: _, ...bare } = source;
    const without = { pool, ownerUrl: await renew(), sources: [bare], version: "1" };
    await assert.rejects(prepareSchema(without), { code: "migrations-invalid" });
  }));

test("without an owner a schema that is complete is enough, and one of a newer program is refused", () =>
  withBench(async ({ pool, source, renew, add }) => {
    add("0001-one.sql", "create table one (a integer)");
    await assert.rejects(prepareSchema({ pool, ownerUrl: undefined, sources: [source], version: "1" }), {
      code: "schema-owner-missing",
    });
    await prepareSchema({ pool, ownerUrl: await renew(), sources: [source], version: "1" });
    await prepareSchema({ pool, ownerUrl: undefined, sources: [source], version: "1" });
    await assert.rejects(prepareSchema({ pool, ownerUrl: undefined, sources: [], version: "1" }), {
      code: "schema-newer-than-program",
    });
  }));

test("of processes that start together one makes the schema, and the others find it made", () =>
  withBench(async ({ pool, source, renew, add }) => {
    add("0001-one.sql", "create table one (a integer)");
    const options = { ...pool.options };
    const other = new pg.Pool(options);
    try {
      const ownerUrl = await renew();
      const reports = await Promise.all(
        [pool, other].map((own) => prepareSchema({ pool: own, ownerUrl, sources: [source], version: "1" })),
      );
      assert.deepEqual(reports.map(({ applied }) => applied.length).sort(), [0, 1]);
    } finally {
      await other.end();
    }
  }));

test("a password that has been used up is not tried again: nobody is at the door", () =>
  withBench(async ({ pool, source, renew, add }) => {
    add("0001-one.sql", "create table one (a integer)");
    const ownerUrl = await renew();
    const options = { pool, sources: [source], version: "1" };
    await prepareSchema({ ...options, ownerUrl });
    const nowhere = new URL(ownerUrl);
    nowhere.search = "";
    nowhere.host = "127.0.0.1:1";
    assert.deepEqual(await prepareSchema({ ...options, ownerUrl: nowhere.href }), { applied: [], alreadyThere: 0 });
    nowhere.password = "another";
    await assert.rejects(prepareSchema({ ...options, ownerUrl: nowhere.href }), { code: "ECONNREFUSED" });
  }));

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { createPool, type EmbeddedPostgres, launchEmbedded, provision, withCredentials } from "@meterkeep/postgres";
import { checkDatabase } from "./database.ts";

describe("the server of DATABASE_URL", () => {
  let base: string;
  let server: EmbeddedPostgres;
  before(async () => {
    base = mkdtempSync(`${tmpdir()}/mk-`);
    chmodSync(base, 0o755);
    server = await launchEmbedded({ stateDirectory: `${base}/pg`, durable: false, log: () => undefined });
  });
  after(async () => {
    await server.stop();
    rmSync(base, { recursive: true, force: true });
  });

  async function query(url: string, sql: string): Promise<void> {
    const pool = createPool(url, { applicationName: "doctor test", maxConnections: 1 });
    await pool.query(sql);
    await pool.end();
  }

  const examine = async (databaseUrl: string, state?: string): Promise<string[]> => {
    const findings = await checkDatabase(`${base}/checkout`, state, { databaseUrl });
    for (const { status, fix } of findings) assert.equal(fix !== undefined, status !== "ok");
    return findings.map(
      ({ id, status, text, fix }) => `${id} ${status}: ${text}${fix === undefined ? "" : ` | ${fix}`}`,
    );
  };

  /** The state directory of an installation that has come this far. */
  function stateAt(databases: "begun" | "made"): string {
    const state = mkdtempSync(`${base}/state-`);
    const installation = { version: "1.0.0", meters: 3, seed: "s", utility: "u", island: "i", databases };
    writeFileSync(`${state}/installation.json`, JSON.stringify(installation));
    for (const name of ["head-end", "custodian"]) {
      mkdirSync(`${state}/${name}`);
      writeFileSync(`${state}/${name}/database.password`, name);
    }
    return state;
  }

  test("one that will do says its version, and no password is shown", async () => {
    const [version, rights, contents] = await examine(server.adminUrl);
    assert.match(version!, /^database-server ok: PostgreSQL 18\.\d+ at postgres:\/\//);
    assert.equal(rights, "database-rights ok: postgres may make databases and roles");
    assert.equal(contents, "database-contents ok: the databases will be made");
    const hidden = withCredentials("postgres://h:1/d", { database: "d", user: "u", password: "sesame" });
    assert.ok(!(await examine(hidden)).join().includes("sesame"));
  });

  test("one that does not answer, or does not let the user in, comes with what to correct", async () => {
    const [refused] = await examine("postgres://u:p@127.0.0.1:1/postgres");
    assert.match(
      refused!,
      /^database-server failed: no connection to .*ECONNREFUSED.* \| Start the server, or correct host and port/,
    );
    assert.match((await examine("nonsense"))[0]!, /no connection string \| Write it as postgres:/);
    await query(server.adminUrl, "create role weak login password 'right'");
    const weak = (password: string, database = "postgres"): string =>
      withCredentials(server.adminUrl, { database, user: "weak", password });
    assert.match((await examine(weak("wrong")))[0]!, /password authentication failed.* \| Correct user and password/);
    assert.match(
      (await examine(weak("right", "absent")))[0]!,
      /"absent" does not exist.* \| End DATABASE_URL with a database/,
    );
    assert.equal(
      (await examine(weak("right")))[1],
      'database-rights failed: weak lacks CREATEDB and CREATEROLE | As an administrator of the server: alter role "weak" createdb createrole;',
    );
  });

  test("databases that are missing, somebody else's, or newer than the program are named", async () => {
    assert.match(
      (await examine(server.adminUrl, stateAt("made")))[2]!,
      /^database-contents failed: .*no database meterkeep/,
    );
    const [headEnd] = await provision(server.adminUrl, [
      { database: "meterkeep", role: "meterkeep_headend", password: "head-end" },
      { database: "meterkeep_custodian", role: "meterkeep_custodian", password: "custodian" },
    ]);
    assert.match((await examine(server.adminUrl))[2]!, /^database-contents failed: .*another installation made/);
    const state = stateAt("made");
    assert.deepEqual((await examine(server.adminUrl, state)).slice(2), [
      "schema-meterkeep ok: meterkeep has no tables yet",
      "schema-meterkeep_custodian ok: meterkeep_custodian has no tables yet",
    ]);
    await query(headEnd!, "create table schema_migration (component text, number integer, name text, program text)");
    await query(headEnd!, "insert into schema_migration values ('headend', 1, '0001-first.sql', '1.0.0')");
    mkdirSync(`${base}/checkout/packages/headend/migrations`, { recursive: true });
    writeFileSync(`${base}/checkout/packages/headend/migrations/0001-first.sql`, "");
    assert.equal(
      (await examine(server.adminUrl, state))[2],
      "schema-meterkeep ok: meterkeep has 1 migrations, all known",
    );
    await query(headEnd!, "insert into schema_migration values ('headend', 2, '0002-later.sql', '9.0.0')");
    assert.match(
      (await examine(server.adminUrl, state))[2]!,
      /^schema-meterkeep failed: meterkeep is newer than this program: headend\/0002-later\.sql of version 9\.0\.0 \| Start the newer/,
    );
  });
});

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { createPool, type EmbeddedPostgres, launchEmbedded, withCredentials } from "@meterkeep/postgres";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { type Meterkeep, makeStateDirectory, startMeterkeep } from "../src/start-meterkeep.ts";
import { until } from "../src/until.ts";

const HOMES = 4;
const METERS = HOMES + 4;

describe("a PostgreSQL of one's own", () => {
  const stateDirectory = makeStateDirectory();
  let base: string;
  let server: EmbeddedPostgres;
  let databaseUrl: string;
  let meterkeep: Meterkeep | undefined;

  async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
    const pool = createPool(url, { applicationName: "system test", maxConnections: 1 });
    try {
      return (await pool.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await pool.end();
    }
  }

  const start = async (): Promise<ApiClient> => {
    meterkeep = await startMeterkeep({
      meters: HOMES,
      stateDirectory,
      options: ["--database-url", databaseUrl, "--database-suffix", "_own"],
    });
    return await ownerClient(meterkeep);
  };
  const stop = async (): Promise<void> => {
    await meterkeep?.stop();
    meterkeep = undefined;
  };

  before(async () => {
    base = mkdtempSync(`${tmpdir()}/mk-own-`);
    chmodSync(base, 0o755);
    server = await launchEmbedded({ stateDirectory: `${base}/pg`, durable: false, log: () => undefined });
    // As an administrator of databases would set it up: no superuser.
    await query(server.adminUrl, "create role meterkeep_admin login createdb createrole password 'own'");
    databaseUrl = withCredentials(server.adminUrl, { database: "postgres", user: "meterkeep_admin", password: "own" });
  });
  after(async () => {
    await stop();
    await server.stop();
    for (const directory of [base, stateDirectory]) rmSync(directory, { recursive: true, force: true });
  });

  test("does all that the embedded one does, under a user who is no superuser, and no other is started", async () => {
    const api = await start();
    assert.ok(meterkeep!.reports.some(({ text }) => text?.startsWith("PostgreSQL at postgres://meterkeep_admin@")));
    assert.ok(!JSON.stringify(meterkeep!.reports).includes(":own@"), "no password is printed");
    await until("all meters are taken over and read", async () => {
      const meters = await api.meters();
      return meters.length === METERS && meters.every((one) => one.takeover === "proven" && one.powerW !== undefined);
    });
    assert.equal(existsSync(`${stateDirectory}/postgres`), false);
    assert.equal(meterkeep!.pids()["postgres"], undefined);
    const names = (await query(server.adminUrl, "select datname from pg_database")).map(({ datname }) => datname);
    for (const name of ["meterkeep_own", "meterkeep_custodian_own"]) assert.ok(names.includes(name), name);
  });

  test("goes on where it was at the second start, and is not traded for an embedded one by mistake", async () => {
    await stop();
    const api = await start();
    assert.equal((await api.meters()).length, METERS);
    await stop();
    await assert.rejects(startMeterkeep({ meters: HOMES, stateDirectory }), /\[data-missing\]/);
    assert.equal(existsSync(`${stateDirectory}/postgres/data`), false);
  });

  test("a schema that is newer than the program is refused by name, and nothing is done to it", async () => {
    const url = withCredentials(server.adminUrl, { database: "meterkeep_own", user: "postgres" });
    const values = "('headend', 9999, '9999-from-the-future.sql', '00', '99.0.0')";
    await query(url, `insert into schema_migration (component, number, name, sha256, program) values ${values}`);
    await assert.rejects(
      start(),
      /headend\/9999-from-the-future\.sql, applied by version 99\.0\.0.*schema-newer-than-program/s,
    );
    await query(url, "delete from schema_migration where number = 9999");
    const api = await start();
    assert.equal((await api.meters()).length, METERS);
  });
});

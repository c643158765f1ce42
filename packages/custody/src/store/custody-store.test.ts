import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_EDGE, growthOf } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import type { Pool } from "pg";
import { custodyStoreContract } from "../testing/custody-store-contract.ts";
import { sampleEntry, sampleMeter, sampleShipment } from "../testing/samples.ts";
import { memoryCustodyStore } from "./memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "./postgres-store.ts";

custodyStoreContract("memory", (body) => body(memoryCustodyStore()));
custodyStoreContract("PostgreSQL", (body) =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => body(postgresCustodyStore(pool))),
);

/** A meter with a counter and a takeover, the role at run time, and the superuser, who triggers stop as well. */
function withRows(body: (pools: { readonly own: Pool; readonly admin: Pool }) => Promise<void>): Promise<void> {
  return withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool: own, adminUrl }) => {
    const store = postgresCustodyStore(own);
    const sample = sampleMeter(1);
    const { utility, island, systemTitle } = sample.meter;
    const place = { utility, island, systemTitle, setup: 0 };
    const mac = new Uint8Array(32);
    const takeover = { ...place, takeover: 1, revision: 1, journal: "{}", openedAt: 1, closedAt: undefined, mac };
    await store.commit([{ kind: "add-meter", ...sample }]);
    await store.commit(
      [
        { kind: "reserve-counters", from: 256, counter: { ...place, keyVersion: 1, next: 320, mac } },
        { kind: "put-takeover", takeover },
      ],
      growthOf(EMPTY_EDGE, [sampleEntry("one")]),
    );
    const admin = createPool(adminUrl, { applicationName: "admin", maxConnections: 1 });
    try {
      await body({ own, admin });
    } finally {
      await admin.end();
    }
  });
}

test("PostgreSQL itself lets no send counter go down, be moved or disappear, whoever asks", () =>
  withRows(async ({ admin }) => {
    for (const change of ["next = 100", "next = 320", "key_version = 2", "setup = 1"])
      await assert.rejects(admin.query(`update send_counters set ${change}`), /never goes down/, change);
    await assert.rejects(admin.query("delete from send_counters"), /never goes down/);
    await assert.rejects(admin.query("truncate send_counters"), /never goes down/);
  }));

test("PostgreSQL itself lets a journal only go on from its last revision", () =>
  withRows(async ({ admin }) => {
    for (const change of ["revision = 1", "revision = 3", "journal = 'x'", "revision = 2, setup = 1"])
      await assert.rejects(admin.query(`update takeovers set ${change}`), /only goes on/, change);
    await assert.rejects(admin.query("delete from takeovers"), /only goes on/);
  }));

test("PostgreSQL itself has no row without a MAC get one", () =>
  withRows(async ({ admin }) => {
    await admin.query(`set session_replication_role = replica;
      update send_counters set mac = null; update takeovers set mac = null;
      insert into manifests (utility, island, hash, header, submitted_ms, submitted_by)
        select utility, island, decode(repeat('11', 48), 'hex'), '{}', 1, 'head-end' from meters;
      insert into critical_seals (utility, island, nonce, manifest, system_title, setup, key_version, counter, act, once,
          direction, load_w, sealed_ms, sealed_lived_ms, signed)
        select m.utility, m.island, decode(repeat('22', 16), 'hex'), f.hash, m.system_title, 0, 1, 300, 0, true, 'off', 0, 1, 1, false
        from meters m, manifests f;
      set session_replication_role = origin`);
    for (const [table, why] of [
      ["send_counters", /never goes down/],
      ["takeovers", /only goes on/],
      ["critical_seals", /settled once/],
    ] as const) {
      const { rowCount } = await admin.query(`select from ${table} where mac is null`);
      assert.equal(rowCount, 1, table);
      await assert.rejects(admin.query(`update ${table} set mac = decode(repeat('00', 32), 'hex')`), why, table);
    }
  }));

test("the role at run time owns nothing, changes no schema, and deletes and truncates nowhere", () =>
  withRows(async ({ own, admin }) => {
    const denied = { code: "42501" };
    const { rows } = await admin.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'public'",
    );
    assert.ok(rows.length >= 13);
    for (const { name } of rows) {
      await assert.rejects(own.query(`delete from ${name}`), denied, name);
      await assert.rejects(own.query(`truncate ${name} cascade`), denied, name);
      await assert.rejects(own.query(`alter table ${name} disable trigger all`), denied, name);
      await assert.rejects(own.query(`drop table ${name}`), denied, name);
    }
    await assert.rejects(own.query("create table mine (a integer)"), denied);
    await assert.rejects(own.query("create temporary table mine (a integer)"), denied);
    await assert.rejects(own.query("set session_replication_role = replica"), denied);
    await assert.rejects(
      own.query(
        "create or replace function ledger_is_append_only() returns trigger language plpgsql as 'begin return old; end'",
      ),
      denied,
    );
    for (const statement of [
      "update ledger set body = '{}'",
      "update meters set origin = 'added'",
      "update meter_keys set sealed = ''",
      "update key_check_values set system_title = ''",
      "update vault_roots set proof = ''",
      "update takeovers set opened_ms = 0",
      "insert into set_aside_meters select utility, island, system_title, 0, '{}', '{}' from meters",
      "insert into schema_migration select * from schema_migration",
    ])
      await assert.rejects(own.query(statement), denied, statement);
    await assert.rejects(own.query("select set_aside_added_meter(system_title, 0) from meters"), /only a meter/);
  }));

test("an import makes statistics of what it has brought, though the role at run time owns no table", () =>
  withRows(async ({ own }) => {
    const stage = await postgresCustodyStore(own).stageShipment();
    await stage.add([sampleMeter(2), sampleMeter(3)]);
    await stage.commit(sampleShipment);
    // PostgreSQL only warns of an ANALYZE that is not allowed, and leaves -1: never looked at.
    const { rows } = await own.query<{ name: string; rows: number }>(
      "select relname as name, reltuples as rows from pg_class where relname in ('meters', 'meter_keys', 'key_check_values', 'takeovers') order by 1",
    );
    assert.deepEqual(
      rows.map(({ name, rows: counted }) => [name, counted > 0]),
      [
        ["key_check_values", true],
        ["meter_keys", true],
        ["meters", true],
        ["takeovers", true],
      ],
    );
  }));

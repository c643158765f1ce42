import assert from "node:assert/strict";
import { test } from "node:test";
import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { registryContract } from "../testing/registry-contract.ts";
import { memoryRegistry } from "./memory-registry.ts";
import { postgresRegistry } from "./postgres-registry.ts";
import { PKI_GRANTS, PKI_MIGRATIONS } from "./postgres-store.ts";

const [A, B, S] = ["a1".repeat(20), "b2".repeat(20), "55".repeat(16)] as const;
const migrations = [{ component: "pki", directory: PKI_MIGRATIONS, grants: PKI_GRANTS }];

registryContract("in memory", (body) => body(memoryRegistry()));
registryContract("in PostgreSQL", (body) =>
  withTestDatabase({ migrations }, ({ pool }) => body(postgresRegistry(pool))),
);

test("certificates of an authority made since statistics were gathered are found by their serial numbers, not by looking at all it has", () =>
  withTestDatabase({ migrations }, async ({ pool, adminUrl }) => {
    await pool.query("insert into authorities select decode($1, 'hex'), 'u', 'i', 'n', 'p', null, 'k', '', 1", [A]);
    await pool.query(
      `insert into certificates (authority, serial, utility, island, profile, subject, key_identifier, requester,
         not_before_ms, not_after_ms, ordered_ms, shard)
       select decode($1, 'hex'), decode(md5(n::text), 'hex'), 'u', 'i', 'p', 's', '', 'r', 0, 1, 0, 0 from generate_series(1, 30000) n`,
      [A],
    );
    const admin = createPool(adminUrl, { applicationName: "test", maxConnections: 1 });
    await admin.query("analyze certificates");
    await admin.end();
    const plans: string[] = [];
    const explained = postgresRegistry({
      query: async (sql, values) => {
        const { rows } = await pool.query(`explain ${sql}`, values);
        plans.push(rows.map((row) => (row as Record<string, string>)["QUERY PLAN"]).join("\n"));
        return { rows: sql.startsWith("select count") ? [{ count: 1 }] : [], rowCount: 1 };
      },
    });
    await explained.issued(B, [{ serial: S, octets: new Uint8Array(9) }]);
    await explained.isRevoked(B, S);
    await explained.revoke(B, [S], 9, "superseded");
    await explained.find(B, S).catch(() => undefined);
    assert.equal(plans.length, 5);
    for (const plan of plans)
      assert.match(plan, /certificates_pkey on certificates c\b.*\n *Index Cond: \(\(authority = .*serial = /, plan);
  }));

test("the database lets nobody un-revoke, rewrite or remove a certificate", () =>
  withTestDatabase({ migrations }, async ({ pool }) => {
    await pool.query("insert into authorities values ($1, 'u', 'i', 'n', 'p', null, 'k', '', 1)", [
      Buffer.alloc(20, 1),
    ]);
    await pool.query(
      `insert into certificates (authority, serial, utility, island, profile, subject, key_identifier, requester,
         not_before_ms, not_after_ms, ordered_ms, shard) values ($1, $2, 'u', 'i', 'p', 's', $1, 'r', 0, 1, 0, 0)`,
      [Buffer.alloc(20, 1), Buffer.alloc(16, 2)],
    );
    await pool.query("update certificates set octets = 'a'");
    await pool.query("update certificates set revoked_ms = 5, reason = 'superseded'");
    for (const sql of [
      "update certificates set revoked_ms = null, reason = null",
      "update certificates set revoked_ms = 6",
      "update certificates set octets = 'b'",
      "update certificates set subject = 'other'",
      "delete from certificates",
      "truncate certificates",
      "alter table certificates disable trigger all",
    ])
      await assert.rejects(pool.query(sql), /restrict|permission denied|must be owner|neither changed/, sql);
  }));

import assert from "node:assert/strict";
import { test } from "node:test";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { registryContract } from "../testing/registry-contract.ts";
import { memoryRegistry } from "./memory-registry.ts";
import { postgresRegistry } from "./postgres-registry.ts";
import { PKI_GRANTS, PKI_MIGRATIONS } from "./postgres-store.ts";

const migrations = [{ component: "pki", directory: PKI_MIGRATIONS, grants: PKI_GRANTS }];

registryContract("in memory", (body) => body(memoryRegistry()));
registryContract("in PostgreSQL", (body) =>
  withTestDatabase({ migrations }, ({ pool }) => body(postgresRegistry(pool))),
);

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

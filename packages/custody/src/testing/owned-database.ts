import { PKI_GRANTS, PKI_MIGRATIONS, postgresPkiStore } from "@meterkeep/pki";
import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import type { Pool } from "pg";
import { type TestPki, withTestPki } from "./test-pki.ts";

/** A statement of the owner of a database. */
export type Sql = (text: string, values?: unknown[]) => Promise<readonly Record<string, unknown>[]>;

/** A database in the hands of whoever owns it: no trigger, no grant is in the way. */
export async function asOwner<T>(url: string, act: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = createPool(url, { applicationName: "owner", maxConnections: 1 });
  try {
    await pool.query("set session_replication_role = replica");
    return await act(pool);
  } finally {
    await pool.end();
  }
}

/** A PKI in PostgreSQL, and its database in the hands of whoever owns it: no trigger, no grant is in the way. */
export function withOwnedDatabase(body: (bench: TestPki, sql: Sql) => Promise<void>): Promise<void> {
  return withTestDatabase(
    { migrations: [{ component: "pki", directory: PKI_MIGRATIONS, grants: PKI_GRANTS }] },
    ({ pool, adminUrl }) =>
      withTestPki(
        async (bench) => {
          const admin = createPool(adminUrl, { applicationName: "owner", maxConnections: 1 });
          try {
            await admin.query("set session_replication_role = replica");
            await body(bench, async (text, values) => (await admin.query(text, values)).rows as never);
          } finally {
            await admin.end();
          }
        },
        { store: postgresPkiStore(pool), isForgiving: true },
      ),
  );
}

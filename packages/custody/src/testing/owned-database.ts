import { PKI_GRANTS, PKI_MIGRATIONS, postgresPkiStore } from "@meterkeep/pki";
import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { type TestPki, withTestPki } from "./test-pki.ts";

/** A statement of the owner of a database. */
export type Sql = (text: string, values?: unknown[]) => Promise<readonly Record<string, unknown>[]>;

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

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPool } from "@meterkeep/postgres";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { memoryCustodyStore } from "../../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../../store/postgres-store.ts";
import { authorityRecordsContract } from "../../testing/authority-records-contract.ts";

authorityRecordsContract("memory", (body) => body(memoryCustodyStore()));
authorityRecordsContract("PostgreSQL", (body) =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => body(postgresCustodyStore(pool))),
);

test("PostgreSQL itself forgets no document, whoever asks", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool, adminUrl }) => {
    const store = postgresCustodyStore(pool);
    await store.commit([
      { kind: "put-authority", authority: { revision: 1, document: "{}", mac: new Uint8Array(32) } },
    ]);
    await assert.rejects(pool.query("delete from authority"), { code: "42501" });
    await assert.rejects(pool.query("update change_requests set document = ''"), { code: "42501" });
    const admin = createPool(adminUrl, { applicationName: "admin", maxConnections: 1 });
    try {
      for (const statement of [
        "delete from authority",
        "truncate authority",
        "update authority set utility = 'another'",
        "truncate critical_seals",
      ])
        await assert.rejects(admin.query(statement), /authority only goes on|settled once/, statement);
    } finally {
      await admin.end();
    }
  }));

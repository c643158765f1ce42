import assert from "node:assert/strict";
import { test } from "node:test";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { custodyStoreContract } from "../testing/custody-store-contract.ts";
import { sampleMeter } from "../testing/samples.ts";
import { memoryCustodyStore } from "./memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "./postgres-store.ts";

custodyStoreContract("memory", (body) => body(memoryCustodyStore()));
custodyStoreContract("PostgreSQL", (body) =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => body(postgresCustodyStore(pool))),
);

test("PostgreSQL itself never lets a send counter go down or disappear", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool }) => {
    const store = postgresCustodyStore(pool);
    const sample = sampleMeter(1);
    await store.commit([{ kind: "add-meter", ...sample }], []);
    const place = { ...sample.meter, setup: 0 };
    await store.commit([{ kind: "reserve-counters", place, keyVersion: 1, count: 64, atLeast: 256 }], []);
    await assert.rejects(pool.query("update send_counters set next = 100"), /never goes down/);
    await assert.rejects(pool.query("delete from send_counters"), /never goes down/);
    await assert.rejects(pool.query("truncate send_counters"), /never goes down/);
  }));

import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_EDGE, growthOf } from "@meterkeep/ledger";
import type { OrderEntry } from "@meterkeep/pki";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { pkiLedgerContract } from "../testing/pki-ledger-contract.ts";
import type { PkiLedger } from "./pki-ledger.ts";

const PLACE = { utility: "stadtwerke", island: "mainland" } as const;

/** The store with these entries in its ledger. */
async function having(store: CustodyStore, entries: readonly OrderEntry[]): Promise<PkiLedger> {
  const drafts = entries.map(({ meter, body, ...one }) => ({
    ...one,
    ...PLACE,
    ...(meter !== undefined && { meter }),
    body: body as Readonly<Record<string, unknown>>,
  }));
  await store.commit([], growthOf(EMPTY_EDGE, drafts));
  return store.pkiLedger;
}

pkiLedgerContract("a ledger in memory", async (entries, body) => body(await having(memoryCustodyStore(), entries)));
pkiLedgerContract("a ledger in PostgreSQL", (entries, body) =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool }) =>
    body(await having(postgresCustodyStore(pool), entries)),
  ),
);

test("what somebody else has appended to the ledger orders nothing", () =>
  withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool }) => {
    const [authority, serial, meter] = ["ab".repeat(20), "11".repeat(16), "4D4B303000000001"];
    const body = { authority, serial, profile: "dlms-suite-1-tls", key: "ef".repeat(20) };
    const entries = [
      { at: 1, kind: "certificate-ordered", principal: "line-1", meter, body },
      { at: 2, kind: "certificates-removed", principal: "enrolment", body: { plan: "p1", meter } },
    ];
    for (const store of [memoryCustodyStore(), postgresCustodyStore(pool)]) {
      const ledger = await having(store, entries);
      assert.equal((await ledger.ofMeter(meter)).length, 1);
      store.ledger.foreign.add({ from: 1, to: 2, fault: "appended" });
      const none = [ledger.ofMeter(meter), ledger.ofSerials(authority, [serial]), ledger.page(authority, undefined, 5)];
      assert.deepEqual(await Promise.all(none), [[], [], []]);
      assert.deepEqual([await ledger.countSince("line-1", 0), (await ledger.freed("p1", [meter])).size], [0, 0]);
    }
  }));

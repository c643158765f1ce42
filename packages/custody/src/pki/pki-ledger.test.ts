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

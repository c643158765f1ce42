import { withTestDatabase } from "@meterkeep/postgres/testing";
import { pkiStoreContract } from "../testing/pki-store-contract.ts";
import { memoryPkiStore } from "./memory-store.ts";
import { PKI_GRANTS, PKI_MIGRATIONS, postgresPkiStore } from "./postgres-store.ts";

const migrations = [{ component: "pki", directory: PKI_MIGRATIONS, grants: PKI_GRANTS }];

pkiStoreContract("in memory", (body) => body(memoryPkiStore()));
pkiStoreContract("in PostgreSQL", (body) =>
  withTestDatabase({ migrations }, ({ pool }) => body(postgresPkiStore(pool))),
);

import { LEDGER_GRANTS, LEDGER_MIGRATIONS } from "@meterkeep/ledger";
import type { MigrationSource } from "@meterkeep/postgres";
import { HEADEND_GRANTS } from "./grants.ts";

/** The tables of a head-end's database: its own and its ledger's. */
export const HEADEND_MIGRATIONS: readonly MigrationSource[] = [
  { component: "ledger", directory: LEDGER_MIGRATIONS, grants: LEDGER_GRANTS },
  { component: "headend", directory: new URL("../../migrations/", import.meta.url), grants: HEADEND_GRANTS },
];

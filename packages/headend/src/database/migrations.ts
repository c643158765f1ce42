import { LEDGER_MIGRATIONS } from "@meterkeep/ledger";
import type { MigrationSource } from "@meterkeep/postgres";

/** The tables of a head-end's database: its own and its ledger's. */
export const HEADEND_MIGRATIONS: readonly MigrationSource[] = [
  { component: "ledger", directory: LEDGER_MIGRATIONS },
  { component: "headend", directory: new URL("../../migrations/", import.meta.url) },
];

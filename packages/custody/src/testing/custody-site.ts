import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Approver, LedgerError } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import type { RecoveryRecipient } from "../backup/recovery-key.ts";
import { openCustody } from "../service/open-custody.ts";
import type { TrustedManufacturer } from "../shipment/manufacturer.ts";
import { postgresCustodyStore } from "../store/postgres-store.ts";
import { openVault } from "../vault/open-vault.ts";
import { addToCustody, TEST_PACE, type TestCustody } from "./test-custody.ts";

/** Where a custodian is, and what it has. */
export interface SiteOptions {
  /** Holds the vault's root key, `root.key`, of all sites in it. */
  readonly folder: string;
  /** Of the database, as the role at run time. */
  readonly url: string;
  readonly state: string;
  readonly escrow: string;
  readonly clock: { now: number };
  readonly recovery?: readonly RecoveryRecipient[];
  readonly approvers?: readonly Approver[];
  /** Whose shipments it takes. */
  readonly manufacturers?: readonly TrustedManufacturer[];
  /** Hears of what should not happen: nothing but what the ledger is told of, unless given. */
  readonly onFailure?: (error: unknown) => void;
}

/** A custodian on a database of its own, over a clock set by hand. */
export interface CustodySite extends TestCustody, Pick<SiteOptions, "state" | "escrow"> {
  stop(): Promise<void>;
}

/** Opens custody in a real database as its custodian; a ledger that halts it is no failure. */
export async function openSite(options: SiteOptions): Promise<CustodySite> {
  const { folder, url, state, escrow, clock, recovery = [], approvers = [], onFailure = onlyOfLedger } = options;
  const { manufacturers = [] } = options;
  mkdirSync(state, { recursive: true });
  const pool = createPool(url, { applicationName: "custodian" });
  const store = postgresCustodyStore(pool);
  const vaultSource = { kind: "file", path: join(folder, "root.key") } as const;
  const custody = await openCustody(
    pool,
    {
      vault: vaultSource,
      manufacturers,
      stateFolder: state,
      escrowFolder: escrow,
      version: "test",
      separateUser: false,
      pace: TEST_PACE,
      recovery,
      now: () => clock.now,
      ledger: { approvers },
      onFailure,
    },
    { holder: "test", onLost: (error) => assert.fail(error) },
  ).catch(async (error: unknown) => {
    await pool.end();
    throw error;
  });
  const { vault } = await openVault(store, vaultSource, clock.now);
  let isOpen = true;
  return {
    state,
    escrow,
    store,
    vault,
    get now() {
      return clock.now;
    },
    set now(value) {
      clock.now = value;
    },
    crashAt: () => undefined,
    commits: 0,
    custody,
    restart: () => Promise.reject(new Error("a site is opened anew")),
    add: (meter, change) => addToCustody(store, vault, meter, clock.now, change),
    stop: async () => {
      if (!isOpen) return;
      isOpen = false;
      try {
        await custody.close();
      } finally {
        await pool.end();
      }
    },
  };
}

function onlyOfLedger(error: unknown): void {
  assert.ok(error instanceof LedgerError, String(error));
}

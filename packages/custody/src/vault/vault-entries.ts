import type { LedgerDraft } from "@meterkeep/ledger";
import type { EntryBursts } from "../evidence/entry-bursts.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { VaultEvent } from "./tokens/open-token-vault.ts";

/**
 * Entries of what happens to the vault's tokens. One may be away when the vault is opened: nothing can be written down before there is
 * a ledger to write it in.
 *
 * States: *early* (what happens is kept), *begun* (what happens is written).
 */
export class VaultEntries {
  readonly #now: () => number;
  readonly #onFailure: (error: unknown) => void;
  readonly #early: LedgerDraft[] = [];
  #bursts: Pick<EntryBursts, "record"> | undefined;

  /** @param onFailure hears of what could not be written */
  constructor(now: () => number, onFailure: (error: unknown) => void) {
    this.#now = now;
    this.#onFailure = onFailure;
  }

  readonly hear: VaultEvent = (kind, body) => {
    const entry = installationEntry(this.#now(), kind, "custodian", body);
    if (this.#bursts === undefined) this.#early.push(entry);
    else this.#bursts.record([entry]).catch(this.#onFailure);
  };

  /** Writes what was kept, and from now on at once. */
  begin(bursts: Pick<EntryBursts, "record">): void {
    if (this.#early.length > 0) bursts.record(this.#early).catch(this.#onFailure);
    this.#bursts = bursts;
  }
}

import type { LedgerEntry, LedgerHead } from "./entry.ts";

/** Where a ledger lives. Every adapter passes `ledgerStoreContract`. */
export interface LedgerStore {
  /** The last entry's sequence and hash. */
  head(): Promise<LedgerHead>;
  /**
   * Appends entries durably, all or none.
   *
   * @throws LedgerError `ledger-forked` when the first one is not chained to the stored head: somebody else has written.
   */
  append(entries: readonly LedgerEntry[]): Promise<void>;
  /** At most `limit` entries after sequence `after`, in order. */
  read(after: number, limit: number): Promise<LedgerEntry[]>;
}

/** Every entry after `after`, fetched in pages: for verification and export. */
export async function* allEntries(
  store: Pick<LedgerStore, "read">,
  after = 0,
  pageEntries = 1000,
): AsyncGenerator<LedgerEntry> {
  let last = after;
  for (;;) {
    const page = await store.read(last, pageEntries);
    if (page.length === 0) return;
    yield* page;
    last = (page.at(-1) as LedgerEntry).sequence;
  }
}

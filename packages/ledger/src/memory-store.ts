import { EMPTY_LEDGER, type LedgerEntry, type LedgerHead } from "./entry.ts";
import { LedgerError } from "./errors.ts";
import type { LedgerStore } from "./store.ts";

/** A ledger that lasts as long as the process: for tests and for offline work on an export. */
export function memoryLedgerStore(): LedgerStore {
  const entries: LedgerEntry[] = [];
  const head = (): LedgerHead => entries.at(-1) ?? EMPTY_LEDGER;
  return {
    head: async () => head(),
    append: async (more) => {
      const first = more[0];
      if (first !== undefined && first.sequence !== head().sequence + 1)
        throw new LedgerError("ledger-forked", `entry ${first.sequence} does not follow entry ${head().sequence}`);
      entries.push(...more);
    },
    read: async (after, limit) => entries.slice(after, after + limit),
  };
}

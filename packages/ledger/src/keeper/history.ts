import { KEYS_ANNOUNCED, keysOfEntry, type LedgerKeys, logName } from "../checkpoint/keys.ts";
import type { LedgerEntry } from "../entry.ts";

/** Kind of the entry that says the ledger goes on although later entries were lost. */
export const RESUMED = "ledger-resumed";
/** Kind of the entry that names the witnesses. */
export const WITNESSES = "ledger-witnesses";

/** What a ledger's own entries say about how it is kept. */
export interface LedgerHistory {
  /** By version, from 1. */
  readonly keys: readonly { readonly keys: LedgerKeys; readonly entry: LedgerEntry }[];
  /** 1, and one more for each resumption. */
  readonly epoch: number;
  /** Its name now; undefined before there are keys. */
  readonly log: string | undefined;
  /** Names of the witnesses that it must have. */
  readonly witnesses: readonly string[];
}

/** Reads the entries of a ledger of itself. */
export function historyOf(entries: readonly LedgerEntry[]): LedgerHistory {
  const keys = entries
    .filter(({ kind }) => kind === KEYS_ANNOUNCED)
    .map((entry) => ({ keys: keysOfEntry(entry), entry }));
  const epoch = 1 + entries.filter(({ kind }) => kind === RESUMED).length;
  const named = entries.findLast(({ kind }) => kind === WITNESSES);
  const { witnesses = [] } = JSON.parse(named?.body ?? "{}") as { readonly witnesses?: readonly { name: string }[] };
  const first = keys[0]?.keys;
  return {
    keys,
    epoch,
    log: first && logName(first, epoch),
    witnesses: witnesses.map(({ name }) => name),
  };
}

/** A ledger's name without its epoch, and the epoch. */
export function splitLogName(log: string): { readonly base: string; readonly epoch: number } {
  const [prefix = "", id = "", epoch = "1"] = log.split("/");
  return { base: `${prefix}/${id}`, epoch: Number(epoch) };
}

import { KEYS_ANNOUNCED, keysOfEntry, type LedgerKeys, logName } from "../checkpoint/keys.ts";
import type { LedgerEntry } from "../entry.ts";

/** Kind of the entry that says the ledger goes on although later entries were lost. */
export const RESUMED = "ledger-resumed";
/** Kind of the entry that names the witnesses. */
export const WITNESSES = "ledger-witnesses";

/** Keys that a ledger is signed with. */
export interface AnnouncedKeys {
  readonly keys: LedgerKeys;
  /** What announces them; undefined where that is known otherwise, and the entry is not as it was written. */
  readonly entry: LedgerEntry | undefined;
}

/** What is known of a ledger besides what its entries say. */
export interface KnownLedger {
  /** Keys that it was signed with, or that were announced once. */
  readonly keys: readonly LedgerKeys[];
  /** Its epoch, or one from before. */
  readonly epoch: number;
}

const NOTHING_KNOWN: KnownLedger = { keys: [], epoch: 1 };

/** What a ledger's own entries say about how it is kept. */
export interface LedgerHistory {
  /** By version, from 1. */
  readonly keys: readonly AnnouncedKeys[];
  /** 1, and one more for each resumption. */
  readonly epoch: number;
  /** Its name now; undefined before there are keys. */
  readonly log: string | undefined;
  /** Names of the witnesses that it must have. */
  readonly witnesses: readonly string[];
}

/** Reads the entries of a ledger of itself; whoever changes one of them takes nothing that is known otherwise. */
export function historyOf(entries: readonly LedgerEntry[], known = NOTHING_KNOWN): LedgerHistory {
  const announced = entries
    .filter(({ kind }) => kind === KEYS_ANNOUNCED)
    .map((entry): AnnouncedKeys => ({ keys: keysOfEntry(entry), entry }));
  const versions = new Set(announced.map(({ keys: { version } }) => version));
  const others = known.keys.filter(({ version }) => !versions.has(version));
  const keys = [...announced, ...others.map((one): AnnouncedKeys => ({ keys: one, entry: undefined }))].sort(
    (one, other) => one.keys.version - other.keys.version,
  );
  const epoch = Math.max(known.epoch, 1 + entries.filter(({ kind }) => kind === RESUMED).length);
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

import { type Growth, type LedgerEntry, rootOf } from "@meterkeep/ledger";
import type { CriticalSeal, StoredManifest } from "../authority/store/records.ts";
import { READMITTED } from "../departure/readmission.ts";
import { CustodyError } from "../errors.ts";
import type { AuthenticJournal } from "../escrow/authentic-journal.ts";
import { ENROLLED, REMOVED } from "../head-ends/head-ends.ts";
import { FIELD_KINDS } from "../lease/field-record.ts";
import type { CustodyStore, Write } from "../store/store.ts";

/** The file beside the escrow. */
export const WITHDRAWALS = { file: "withdrawals.jsonl", domain: "meterkeep-withdrawal-1" } as const;

/** An entry of the ledger by which somebody or something may less than before, or is elsewhere than before. */
export type WithdrawingEntry = Pick<LedgerEntry, "at" | "kind" | "principal" | "utility" | "island" | "meter" | "body">;

/**
 * What a database from before may not forget: a line each, with how many entries the ledger had when it was written, and the
 * root of their tree, hex; neither where it was written apart from the commit that withdraws.
 */
export type Withdrawal = { readonly ledger?: number; readonly root?: string } & Withdrawn;
type Withdrawn =
  | { readonly kind: "entry"; readonly at: number; readonly entry: WithdrawingEntry }
  /** What critical requests are sealed under: without its targets it approves nothing. */
  | { readonly kind: "manifest"; readonly at: number; readonly manifest: StoredManifest }
  /** A critical request that was sealed: it counts until the meter has shown what became of it. */
  | { readonly kind: "seal"; readonly at: number; readonly seal: CriticalSeal; readonly mac: string }
  /** It begins: so it has an end, which others know of, before anything is withdrawn. */
  | { readonly kind: "begun"; readonly at: number };

export type WithdrawalJournal = AuthenticJournal<Withdrawal>;

export const DEPARTED = "meter-departed";

/**
 * Kinds that are noted whatever they say, with those by which a meter or a head-end comes back: what counts is where it was in
 * the end. Of changes of keys and of executed changes only those that take something away, or end a suspension.
 */
const KINDS: ReadonlySet<string> = new Set([
  "approver-suspended",
  ENROLLED,
  REMOVED,
  DEPARTED,
  READMITTED,
  ...Object.values(FIELD_KINDS),
]);
export const KEY_STATES = "key-states-changed";
export const EXECUTED = "change-executed";

/** Changes of the authority's document that take something away. */
export const WITHDRAWING_CHANGES: ReadonlySet<string> = new Set([
  "remove-approver",
  "replace-approver",
  "remove-policy-service",
  "tighten-thresholds",
]);

/** Whether a state is one that a key does not come back from. */
export function isLost(state: string): boolean {
  return state === "compromised" || state === "destroyed-compromised";
}

/**
 * The same store, noting what is withdrawn on second storage before it is made durable here, one line after the other: a
 * database that is put back is told of it again. What cannot be noted does not happen.
 *
 * A line that was noted and then refused here withdraws after a restore what was not withdrawn: that is the safe side.
 */
export function notingStore(store: CustodyStore, journal: () => WithdrawalJournal | undefined): CustodyStore {
  return {
    ...store,
    commit: async (writes, growth) => {
      const lines = withdrawalsIn(writes, growth);
      const to = journal();
      if (lines.length > 0 && to !== undefined) await noted(to, lines);
      await store.commit(writes, growth);
    },
  };
}

async function noted(journal: WithdrawalJournal, lines: readonly Withdrawal[]): Promise<void> {
  try {
    await journal.append(...lines);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CustodyError("escrow-failed", `second storage does not take what is withdrawn: ${why}; nothing is`, {
      cause,
    });
  }
}

/** A change of a key, as its entry has it. */
export interface KeyChange {
  readonly purpose: string;
  readonly setup: number;
  readonly version: number;
  readonly from: string;
  readonly to: string;
}

/** What a commit withdraws; not what it withdraws again after a restore, whose lines are there. */
function withdrawalsIn(writes: readonly Write[], growth: Growth | undefined): Withdrawal[] {
  const entries = growth?.entries ?? [];
  const again = new Set(entries.flatMap((entry) => restoredName(entry) ?? []));
  const seals = writes.flatMap((write): Withdrawal[] => {
    if (write.kind === "add-manifest") {
      const { manifest } = write;
      return again.has(manifest.hash) ? [] : [{ kind: "manifest", at: manifest.submittedAt, manifest }];
    }
    if (write.kind !== "seal-critical" || again.has(write.seal.nonce)) return [];
    return [sealLine(write)];
  });
  const lines = [...seals, ...entries.filter(withdraws).map(entryLineOf)];
  if (growth === undefined || lines.length === 0) return lines;
  const { frontier } = growth.from;
  const root = Buffer.from(rootOf(frontier)).toString("hex");
  return lines.map((line) => ({ ...line, ledger: frontier.size, root }));
}

/** The line of a seal. */
export function sealLine({ seal, mac }: { readonly seal: CriticalSeal; readonly mac: Uint8Array }): Withdrawal {
  return { kind: "seal", at: seal.sealedAt, seal, mac: Buffer.from(mac).toString("hex") };
}

/** The line of an entry of the ledger. */
export function entryLineOf({ at, kind, principal, utility, island, meter, body }: LedgerEntry): Withdrawal & {
  readonly kind: "entry";
} {
  return { kind: "entry", at, entry: { at, kind, principal, utility, island, meter, body } };
}

/** Kind of the entry of a critical request that was sealed. */
export const SEALED = "critical-sealed";

/** The nonce of a seal by its entry, where it was sealed then; undefined for what is told again after a restore, and all else. */
export function sealedNonce({ kind, body }: Pick<LedgerEntry, "kind" | "body">): string | undefined {
  if (kind !== SEALED) return undefined;
  const { restored, nonce } = JSON.parse(body) as { readonly restored?: boolean; readonly nonce?: string };
  return restored === true ? undefined : nonce;
}

/** What a manifest or a seal is called whose entry says that it is from before a restore. */
function restoredName({ kind, body }: LedgerEntry): string | undefined {
  if (kind !== SEALED && kind !== "manifest-submitted") return undefined;
  const said = JSON.parse(body) as { readonly restored?: boolean; readonly nonce?: string; readonly hash?: string };
  return said.restored === true ? (kind === SEALED ? said.nonce : said.hash) : undefined;
}

/** Whether an entry takes something away that a restore may not forget, for the first time. */
export function withdraws({ kind, body }: Pick<LedgerEntry, "kind" | "body">): boolean {
  if (!KINDS.has(kind) && kind !== KEY_STATES && kind !== EXECUTED) return false;
  const said = JSON.parse(body) as {
    readonly restored?: boolean;
    readonly kind?: string;
    readonly changes?: readonly KeyChange[];
  };
  if (said.restored === true) return false;
  if (kind === KEY_STATES) return (said.changes ?? []).some((change) => isWithdrawn(change) || isResumed(change));
  return kind !== EXECUTED || WITHDRAWING_CHANGES.has(said.kind ?? "");
}

/** Whether a key was taken out of use, for good or for a time, by a change of its state. */
function isWithdrawn({ to }: Pick<KeyChange, "to">): boolean {
  return isLost(to) || to === SUSPENDED;
}

function isResumed({ from, to }: Pick<KeyChange, "from" | "to">): boolean {
  return from === SUSPENDED && to !== SUSPENDED;
}

export const SUSPENDED = "suspended";

/** Tells an entry from others: the same words may be said again another day, and of another meter. */
export function nameOfEntry({ at, kind, meter, body }: Pick<WithdrawingEntry, "at" | "kind" | "meter" | "body">) {
  return `${at} ${kind} ${meter ?? ""} ${body}`;
}

import type { Growth, LedgerEntry } from "@meterkeep/ledger";
import type { CriticalSeal, StoredManifest } from "../authority/store/records.ts";
import { READMITTED } from "../departure/readmission.ts";
import { CustodyError } from "../errors.ts";
import type { AuthenticJournal } from "../escrow/authentic-journal.ts";
import { FIELD_KINDS } from "../lease/field-record.ts";
import type { CustodyStore, Write } from "../store/store.ts";

/** The file beside the escrow. */
export const WITHDRAWALS = { file: "withdrawals.jsonl", domain: "meterkeep-withdrawal-1" } as const;

/** An entry of the ledger by which somebody or something may less than before, or is elsewhere than before. */
export type WithdrawingEntry = Pick<LedgerEntry, "at" | "kind" | "principal" | "utility" | "island" | "meter" | "body">;

/** What a database from before may not forget: a line each. */
export type Withdrawal =
  | { readonly kind: "entry"; readonly at: number; readonly entry: WithdrawingEntry }
  /** What critical requests are sealed under: without its targets it approves nothing. */
  | { readonly kind: "manifest"; readonly at: number; readonly manifest: StoredManifest }
  /** A critical request that was sealed: it counts until the meter has shown what became of it. */
  | { readonly kind: "seal"; readonly at: number; readonly seal: CriticalSeal; readonly mac: string };

export type WithdrawalJournal = AuthenticJournal<Withdrawal>;

export const DEPARTED = "meter-departed";

/** Kinds that are noted whatever they say, and that a meter came back after it had left; of changes of keys and of executed changes only those that take something away. */
const KINDS: ReadonlySet<string> = new Set([
  "approver-suspended",
  "head-end-removed",
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

function withdrawalsIn(writes: readonly Write[], growth: Growth | undefined): Withdrawal[] {
  const seals = writes.flatMap((write): Withdrawal[] => {
    if (write.kind === "add-manifest")
      return [{ kind: "manifest", at: write.manifest.submittedAt, manifest: write.manifest }];
    if (write.kind !== "seal-critical") return [];
    const { seal, mac } = write;
    return [{ kind: "seal", at: seal.sealedAt, seal, mac: Buffer.from(mac).toString("hex") }];
  });
  const entries = (growth?.entries ?? []).filter(withdraws).map((entry): Withdrawal => {
    const { at, kind, principal, utility, island, meter, body } = entry;
    return { kind: "entry", at, entry: { at, kind, principal, utility, island, meter, body } };
  });
  return [...seals, ...entries];
}

function withdraws({ kind, body }: LedgerEntry): boolean {
  if (KINDS.has(kind)) return true;
  if (kind === KEY_STATES)
    return (JSON.parse(body) as { readonly changes: readonly { readonly to: string }[] }).changes.some(({ to }) =>
      isLost(to),
    );
  return kind === EXECUTED && WITHDRAWING_CHANGES.has((JSON.parse(body) as { readonly kind: string }).kind);
}

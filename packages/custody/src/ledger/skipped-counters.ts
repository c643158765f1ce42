import {
  DEFAULT_KEEPER_SETTINGS,
  type EntryRange,
  type Finding,
  type KeeperSettings,
  type LedgerStore,
  Ranges,
  RESUMED,
} from "@meterkeep/ledger";
import type { BucketSize } from "../calls/token-bucket.ts";
import { LARGEST_BLOCK } from "../protocol/send-counters.ts";
import { DEFAULT_SEAL_BUDGET } from "../session/seal-budget.ts";
import { ALTERED, type FindingBody, findingKey, isLost } from "./named-findings.ts";

/**
 * Kind of the entry that a start writes when the ledger does not end with a stop: a crash, or a database put back to a
 * moment that no witness has seen. The two cannot be told apart, so counters are left out after both.
 */
export const UNCLEAN_START = "ledger-unclean-start";

/** Kind of the entry that a custodian writes when its database came from a backup. */
export const RESTORED = "ledger-custody-restored";

/** Principals that may use one line: head-ends, the depot, the operator. */
const PRINCIPALS = 4;
/** Budgets are full again after a restart: so many restarts within what was lost are covered. */
const RESTARTS = 64;

/** How fast counters of one line can be used, and how long before a witness knows of it. */
export interface UseOfCounters {
  readonly budget: BucketSize;
  readonly settings: Pick<KeeperSettings, "everySeconds">;
}

/** What holds unless configuration says otherwise. */
export const DEFAULT_USE: UseOfCounters = { budget: DEFAULT_SEAL_BUDGET, settings: DEFAULT_KEEPER_SETTINGS };

/** Whether the ledger ends with the stop of a custodian, or is empty. */
export async function endedWithStop(ledger: Pick<LedgerStore, "size" | "read">): Promise<boolean> {
  const size = await ledger.size();
  if (size === 0) return true;
  const [last] = await ledger.read(size - 1, 1);
  return last?.kind === "custodian-stopped";
}

/** What one line may have used between two checkpoints: no witness knows of it. */
export function countersOfWindow({ budget, settings }: UseOfCounters = DEFAULT_USE): number {
  return PRINCIPALS * Math.ceil(budget.burst + budget.perSecond * settings.everySeconds) + LARGEST_BLOCK;
}

/** The ledger, to whoever asks what of it is lost. */
type LossyLedger = Pick<LedgerStore, "ofItself" | "counted" | "foreign">;

/**
 * How many counters a line leaves out for what is not in this database any more: entries that were lost for certain
 * (`ledger-resumed`), those that may have been (`ledger-unclean-start`), and those that somebody has changed, taken out or
 * hidden (`ledger-altered`): each may have been the newest mark of the line. A line whose mark was written after is
 * known again; what is found and not named yet is before nothing.
 *
 * Bounded by what the budgets allow in the time that was lost, and by a sixteenth of a line, so that no loss exhausts one.
 */
export function skippedAfterLoss(
  ledger: LossyLedger,
  now: () => number,
  use: UseOfCounters = DEFAULT_USE,
): (markedAt: number) => Promise<number> {
  const since = knownBefore(ledger);
  return async (markedAt) => {
    let sum = 0;
    const named = new Set<string>();
    const altered: (EntryRange & { readonly at: number })[] = [];
    for (const { kind, sequence, at, body } of await ledger.ofItself()) {
      const said = JSON.parse(body) as LossBody;
      const isNaming = kind === ALTERED && said.accepted !== true && said.mended !== true;
      if (isNaming) named.add(findingKey(said as Finding));
      if (sequence <= markedAt) continue;
      if (isNaming && isLost(said as Finding)) altered.push({ from: said.from, to: said.to, at });
      if (kind === UNCLEAN_START || kind === RESTORED) sum += Math.min(said.counters ?? 0, MOST_OF_A_LOSS);
      if (kind === RESUMED)
        sum += Math.min((said.lost ?? 0) * LARGEST_BLOCK, countersSince(at - (said.since ?? 0), use), MOST_OF_A_LOSS);
    }
    for (const finding of ledger.foreign.findings)
      if (isLost(finding) && !named.has(findingKey(finding))) altered.push({ ...finding, at: now() });
    if (altered.length === 0) return sum;
    // Findings that met are named again as one: each entry is lost once.
    const ranges = new Ranges();
    for (const one of altered) ranges.add(one);
    const lost = ranges.all.reduce((entries, { from, to }) => entries + to - from + 1, 0);
    const to = Math.max(...altered.map(({ at }) => at));
    const from = await since(Math.min(...altered.map((one) => one.from)));
    return sum + Math.min(lost * LARGEST_BLOCK, countersSince(to - from, use), MOST_OF_A_LOSS);
  };
}

/** What the entries say that are asked for losses. */
type LossBody = FindingBody & {
  readonly lost?: number;
  readonly since?: number | null;
  readonly counters?: number;
};

/** When something was surely written before an entry, in milliseconds since 1970 UTC; 0 where nobody knows any more. */
function knownBefore({ counted }: Pick<LedgerStore, "counted">): (sequence: number) => Promise<number> {
  const known = new Map<number, number>();
  return async (sequence) => {
    const before = known.get(sequence);
    if (before !== undefined) return before;
    let at = 0;
    for (let back = 64; at === 0; back *= 8) {
      const after = Math.max(0, sequence - 1 - back);
      const [entry] = await counted(after, 1);
      if (entry !== undefined && entry.sequence < sequence) at = entry.at;
      if (after === 0) break;
    }
    known.set(sequence, at);
    return at;
  };
}

/** Of the 2^32 - 1 that a line has: no meter has used as many in the time of a loss, whatever its callers were allowed. */
export const MOST_OF_A_LOSS: number = 2 ** 28;

/** What one line may have used in so long, whatever its callers wanted. */
export function countersSince(milliseconds: number, { budget }: UseOfCounters): number {
  const used = Math.ceil(RESTARTS * budget.burst + (budget.perSecond * Math.max(0, milliseconds)) / 1000);
  return PRINCIPALS * used + LARGEST_BLOCK;
}

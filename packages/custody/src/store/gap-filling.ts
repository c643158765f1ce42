import {
  type EntryRange,
  entryOf,
  type Growth,
  growthBy,
  type LedgerDraft,
  type LedgerEdge,
  type LedgerEntry,
} from "@meterkeep/ledger";
import type { CustodyStore } from "./store.ts";

/** What stands behind gaps, and what fills them. */
export interface GapFilling {
  readonly growth: Growth;
  /** Entries among which somebody else's are: they count nowhere. Undefined where there is but one gap. */
  readonly adopted: EntryRange | undefined;
}

/** What fills a gap, and what names somebody else's entries: each is written in the number given. */
export interface GapDrafts {
  readonly filling: () => LedgerDraft;
  readonly naming: (adopted: EntryRange) => Promise<LedgerDraft>;
}

/**
 * What fills the gap behind a ledger, and those that follow at once, as where every other number is taken: in one commit, since each
 * would else keep everything waiting. What stands between them is hashed where it stands; the last gap ends with the entry that names it.
 */
export async function gapFilling(
  ledger: Pick<CustodyStore["ledger"], "scattered">,
  edge: LedgerEdge,
  { filling, naming }: GapDrafts,
): Promise<GapFilling> {
  const { size } = edge.frontier;
  const rows = await ledger.scattered(size, MOST_ROWS);
  const end = endOf(rows, size);
  const there = rows.filter(({ sequence }) => sequence < end);
  const [first] = there;
  const adopted = first === undefined ? undefined : { from: first.sequence, to: end - 1 };
  const name = adopted && (await naming(adopted));
  const stored = new Map(there.map((row) => [row.sequence, row]));
  const all = Array.from({ length: end - size }, (_, at): LedgerEntry => {
    const sequence = size + 1 + at;
    return stored.get(sequence) ?? entryOf(sequence, (sequence === end ? name : undefined) ?? filling());
  });
  const growth = growthBy(edge, all);
  return {
    growth: { ...growth, entries: all.filter(({ sequence }) => !stored.has(sequence)), adopted: there },
    adopted,
  };
}

/** The last number that is filled: of the last gap that follows on from the first with no room between. */
function endOf(rows: readonly LedgerEntry[], size: number): number {
  let end = (rows[0]?.sequence ?? size + 1) - 1;
  for (const [at, { sequence }] of rows.entries()) {
    const gap = sequence - 1 - (rows[at - 1]?.sequence ?? size);
    if (at > 0 && (gap > MOST_GAP || sequence - size > MOST_ENTRIES)) break;
    if (gap > 0) end = sequence - 1;
  }
  return end;
}

/** Rows that are looked at for gaps between them. */
const MOST_ROWS = 4096;
/** A gap with more room is filled when the ledger comes to it. */
const MOST_GAP = 64;
/** Of one commit. */
const MOST_ENTRIES = 8192;

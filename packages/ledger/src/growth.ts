import { entryOf, type LedgerDraft, type LedgerEntry } from "./entry.ts";
import { append, type CompletedNode, EMPTY_FRONTIER, type Frontier } from "./tree/frontier.ts";
import { isStored } from "./tree/stored-nodes.ts";

/** Where a ledger ends: all that is needed to write on. */
export interface LedgerEdge {
  readonly frontier: Frontier;
  /** Leaf hash of the last entry; undefined for an empty ledger. */
  readonly lastLeaf: Uint8Array | undefined;
}

export const EMPTY_EDGE: LedgerEdge = { frontier: EMPTY_FRONTIER, lastLeaf: undefined };

/** Entries that follow an edge, with the nodes of the tree they complete: written together or not at all. */
export interface Growth {
  readonly from: LedgerEdge;
  readonly to: LedgerEdge;
  readonly entries: readonly LedgerEntry[];
  /** Of somebody else, stored already among them: hashed where they stand, and not written. */
  readonly adopted?: readonly LedgerEntry[];
  /** Those of the stored levels above the leaves. */
  readonly nodes: readonly CompletedNode[];
  /** What the writer's key made over them; none where a ledger is not bound to its writer. */
  readonly macs?: GrowthMacs | undefined;
}

/** What binds a growth to its writer. */
export interface GrowthMacs {
  /** Over each entry's leaf, 16 octets; none for an entry that somebody else has written. */
  readonly entries: readonly (Uint8Array | undefined)[];
  /** Over size and root of the tree that ends with them. */
  readonly end: Uint8Array;
}

/** What a ledger becomes by drafts, in their order. */
export function growthOf(from: LedgerEdge, drafts: readonly LedgerDraft[]): Growth {
  return growthBy(
    from,
    drafts.map((draft, at) => entryOf(from.frontier.size + 1 + at, draft)),
  );
}

/** What a ledger becomes by entries that follow on from where it ends. */
export function growthBy(from: LedgerEdge, entries: readonly LedgerEntry[]): Growth {
  const nodes: CompletedNode[] = [];
  let { frontier, lastLeaf } = from;
  for (const { leaf } of entries) {
    const next = append(frontier, leaf);
    nodes.push(...next.completed.filter(isStored));
    frontier = next.frontier;
    lastLeaf = leaf;
  }
  return { from, to: { frontier, lastLeaf }, entries, nodes };
}

import { entryLeaf, type LedgerEntry } from "./entry.ts";
import { allEntries, type LedgerReads } from "./store.ts";
import { append, EMPTY_FRONTIER, rootOf } from "./tree/frontier.ts";
import { isStored } from "./tree/stored-nodes.ts";
import type { TreeHead } from "./tree/verify-proofs.ts";

/** What came of computing a stored ledger again from what its entries say. */
export interface StoredAudit {
  /** Of the entries before the first fault. */
  readonly head: TreeHead;
  /** What is wrong with the first thing that is. */
  readonly fault: string | undefined;
}

/** Computes every leaf and every stored node of a ledger again: that it is whole in itself, not that it is the right one. */
export async function auditStored(store: LedgerReads): Promise<StoredAudit> {
  let frontier = EMPTY_FRONTIER;
  const end = (fault?: string): StoredAudit => ({ head: { size: frontier.size, root: rootOf(frontier) }, fault });
  for await (const entry of allEntries(store)) {
    const fault = faultOf(entry, frontier.size);
    if (fault !== undefined) return end(fault);
    const next = append(frontier, entry.leaf);
    for (const { level, index, hash } of next.completed.filter(isStored)) {
      const [stored] = await store.nodes(level, index, 1);
      if (stored === undefined || !same(stored, hash)) return end(`node ${index} of level ${level} is another`);
    }
    frontier = next.frontier;
  }
  return end();
}

function faultOf(entry: LedgerEntry, size: number): string | undefined {
  if (entry.sequence !== size + 1) return `entry ${entry.sequence} follows entry ${size}`;
  return same(entryLeaf(entry), entry.leaf) ? undefined : `entry ${entry.sequence} is not what was hashed`;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, at) => octet === b[at]);
}

import { entryLeaf, type LedgerEntry } from "../entry.ts";
import type { LedgerReads } from "../store.ts";
import type { CompletedNode } from "./frontier.ts";
import { STORED_EVERY, STORED_WIDTH, type StoredNodes, wholeOf } from "./stored-nodes.ts";

/** The stored levels of a ledger as its entries have them, whatever is stored above the leaves. */
export interface DerivedNodes extends StoredNodes {
  /** Those that are not stored, or stored otherwise. */
  readonly others: readonly CompletedNode[];
}

/** How leaves are come by: as they are stored, or by what each entry's MAC holds over, which costs a MAC an entry. */
export type LeafSource = "stored" | "judged";

type Reads = Pick<LedgerReads, "rows" | "nodes" | "foreign">;

/**
 * Computes the stored levels of the first `size` entries anew, from the leaves up. What is stored of a block of 256 counts only where
 * its entries do not say: one of them is gone, or nobody knows any more what it was.
 */
export async function derivedNodes(reads: Reads, size: number, source: LeafSource): Promise<DerivedNodes> {
  const levels = new Map<number, readonly (Uint8Array | undefined)[]>();
  const others: CompletedNode[] = [];
  let hashes = await blocksOf(reads, Math.floor(size / STORED_WIDTH), source);
  for (let level = STORED_EVERY; hashes.length > 0; level += STORED_EVERY) {
    levels.set(level, hashes);
    others.push(...(await othersIn(reads, level, hashes)));
    hashes = await above(reads, level, hashes);
  }
  return {
    others,
    nodes: async (level, from, count) =>
      whileKnown(
        level === 0
          ? await judgedLeaves(reads, from, Math.min(count, size - from))
          : (levels.get(level) ?? []).slice(from, from + count),
      ),
  };
}

/** Leaves after so many entries, as their MACs have them; those before the first that is gone. */
export async function judgedLeaves(reads: Pick<Reads, "rows" | "foreign">, after: number, count: number) {
  return whileKnown((await leavesOf(reads, after, count)).map(({ leaf }) => leaf));
}

/** Blocks of 256 leaves, by their leaves; `undefined` where neither these nor what is stored says. */
async function blocksOf(reads: Reads, blocks: number, source: LeafSource): Promise<(Uint8Array | undefined)[]> {
  const found: (Uint8Array | undefined)[] = [];
  for (let at = 0; at < blocks; at += BLOCKS_AT_ONCE) {
    const count = Math.min(BLOCKS_AT_ONCE, blocks - at);
    const stored = await nodesAt(reads, STORED_EVERY, at, count);
    for (let index = at; index < at + count; index += 1) {
      const kept = stored[index - at];
      const quick = source === "stored" ? await quickly(reads, index) : undefined;
      found.push(quick !== undefined && isSame(quick, kept) ? quick : await blockOf(reads, index, kept));
    }
  }
  return found;
}

/** By the leaves alone, where all are there. */
async function quickly(reads: Reads, index: number): Promise<Uint8Array | undefined> {
  const leaves = await reads.nodes(0, index * STORED_WIDTH, STORED_WIDTH);
  return leaves.length === STORED_WIDTH ? wholeOf(leaves) : undefined;
}

async function blockOf(reads: Reads, index: number, kept: Uint8Array | undefined): Promise<Uint8Array | undefined> {
  const leaves = await leavesOf(reads, index * STORED_WIDTH, STORED_WIDTH);
  const known = whileKnown(leaves.map(({ leaf }) => leaf));
  const own = known.length === STORED_WIDTH ? wholeOf(known) : undefined;
  return leaves.every(({ isSure }) => isSure) ? own : (kept ?? own);
}

interface Leaf {
  /** Undefined where the entry is gone. */
  readonly leaf: Uint8Array | undefined;
  /** Whether its MAC holds over it. */
  readonly isSure: boolean;
}

/** The leaf of each of so many entries after `after`: the stored one, or that of what the entry says, as the MAC has it. */
async function leavesOf(
  { rows, foreign }: Pick<Reads, "rows" | "foreign">,
  after: number,
  count: number,
): Promise<Leaf[]> {
  const found = (await rows(after, count)).filter(({ entry }) => entry.sequence <= after + count);
  const holding = async (leafOf: (entry: LedgerEntry) => Uint8Array, of: typeof found): Promise<typeof found> => {
    const holds = await foreign.hold(of.map(({ entry, mac }) => ({ leaf: leafOf(entry), mac })));
    return of.filter((_, at) => holds[at] === true);
  };
  const asStored = new Set(await holding(({ leaf }) => leaf, found));
  const asSaid = new Set(
    await holding(
      entryLeaf,
      found.filter((row) => !asStored.has(row)),
    ),
  );
  const leaves = Array.from({ length: Math.max(0, count) }, (): Leaf => ({ leaf: undefined, isSure: false }));
  for (const row of found)
    leaves[row.entry.sequence - after - 1] = {
      leaf: asSaid.has(row) ? entryLeaf(row.entry) : row.entry.leaf,
      isSure: asStored.has(row) || asSaid.has(row),
    };
  return leaves;
}

/** The next stored level, as far as it is complete. */
async function above(
  reads: Reads,
  level: number,
  hashes: readonly (Uint8Array | undefined)[],
): Promise<(Uint8Array | undefined)[]> {
  const found: (Uint8Array | undefined)[] = [];
  for (let index = 0; (index + 1) * STORED_WIDTH <= hashes.length; index += 1) {
    const below = whileKnown(hashes.slice(index * STORED_WIDTH, (index + 1) * STORED_WIDTH));
    const kept = async () => (await nodesAt(reads, level + STORED_EVERY, index, 1))[0];
    found.push(below.length === STORED_WIDTH ? wholeOf(below) : await kept());
  }
  return found;
}

async function othersIn(
  reads: Reads,
  level: number,
  hashes: readonly (Uint8Array | undefined)[],
): Promise<CompletedNode[]> {
  const others: CompletedNode[] = [];
  for (let at = 0; at < hashes.length; at += BLOCKS_AT_ONCE) {
    const page = hashes.slice(at, at + BLOCKS_AT_ONCE);
    const stored = await nodesAt(reads, level, at, page.length);
    for (const [offset, hash] of page.entries())
      if (hash !== undefined && !isSame(hash, stored[offset])) others.push({ level, index: at + offset, hash });
  }
  return others;
}

/** What is stored of a level, each in its place: one by one where some are missing. */
async function nodesAt(
  { nodes }: Pick<Reads, "nodes">,
  level: number,
  from: number,
  count: number,
): Promise<(Uint8Array | undefined)[]> {
  const all = await nodes(level, from, count);
  if (all.length === count) return all;
  return Promise.all(Array.from({ length: count }, async (_, at) => (await nodes(level, from + at, 1))[0]));
}

function whileKnown(hashes: readonly (Uint8Array | undefined)[]): Uint8Array[] {
  const end = hashes.indexOf(undefined);
  return (end < 0 ? hashes : hashes.slice(0, end)) as Uint8Array[];
}

function isSame(one: Uint8Array, other: Uint8Array | undefined): boolean {
  return other !== undefined && Buffer.from(one).equals(other);
}

/** Nodes of a statement. */
const BLOCKS_AT_ONCE = 256;

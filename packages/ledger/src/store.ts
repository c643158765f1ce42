import type { LedgerEntry } from "./entry.ts";
import type { ForeignEntries } from "./foreign-entries.ts";
import type { Growth, LedgerEdge } from "./growth.ts";
import type { EntryRange } from "./ranges.ts";
import type { StoredEntry } from "./stored-entry.ts";
import { append, type CompletedNode } from "./tree/frontier.ts";
import { frontierAt, isStored, readerOf, type StoredNodes } from "./tree/stored-nodes.ts";

/** Where a commit has ended, and what its writer's key made over that. */
export interface BoundEnd {
  readonly size: number;
  readonly mac: Uint8Array;
}

/**
 * What can be read of a ledger: whole, as far as its numbers follow on, by `size`, `read`, `rows`, `nodes` and `ends`; by the rest
 * without what is foreign or was changed. `follow` and `scattered` alone look behind a gap.
 */
export interface LedgerReads extends StoredNodes {
  /** Entries that count nowhere; whoever finds some adds them. */
  readonly foreign: ForeignEntries;
  /** How many entries there are: the sequence of the last one. */
  size(): Promise<number>;
  /** At most `limit` entries after sequence `after`, in order. */
  read(after: number, limit: number): Promise<LedgerEntry[]>;
  /** The same, to decide by it: without what is foreign, and full all the same where there are more. */
  counted(after: number, limit: number): Promise<LedgerEntry[]>;
  /** As they are stored, leaf and MAC, whatever they say. */
  rows(after: number, limit: number): Promise<StoredEntry[]>;
  /** What the first `limit` entries of a range call themselves, 64 characters of each: an entry may be of any length. */
  kinds(range: EntryRange, limit: number): Promise<string[]>;
  /**
   * How far numbers follow on from that of an entry: the last of them, and the first row that stands behind a gap after it, which
   * may be of any number.
   */
  follow(after: number): Promise<{ readonly last: number; readonly next: bigint | undefined }>;
  /** At most `limit` rows after sequence `after`, as they are stored, in order and whatever stands between them. */
  scattered(after: number, limit: number): Promise<LedgerEntry[]>;
  /** The last ends of at most `size` entries that say that they are bound, the newest first. */
  ends(size: number, limit: number): Promise<BoundEnd[]>;
  /** The entries that say how the ledger itself is kept (their kind begins with `ledger-`), in order. */
  ofItself(): Promise<LedgerEntry[]>;
  /** The entries of those kinds, in order; who asks for many has an index for them. */
  ofKinds(kinds: readonly string[]): Promise<LedgerEntry[]>;
  /** The entries of those kinds about those meters, in order; who asks has an index for them. */
  ofMeters(meters: readonly string[], kinds: readonly string[]): Promise<LedgerEntry[]>;
  /** The last entry of those kinds by a principal about a utility; who asks has an index for them. */
  lastOf(kinds: readonly string[], principal: string, utility: string): Promise<LedgerEntry | undefined>;
}

/** Where a ledger lives. Every adapter passes `ledgerStoreContract`. */
export interface LedgerStore extends LedgerReads {
  /**
   * Appends entries and nodes durably, all or none.
   *
   * @throws LedgerError `ledger-forked` when the stored ledger does not end where they begin: somebody else has written,
   * or an older one was put back.
   */
  append(growth: Growth): Promise<void>;
  /** Stores nodes whatever is in their place: they are derived from the entries, and believed of nobody. */
  putNodes(nodes: readonly CompletedNode[]): Promise<void>;
}

/** Where a stored ledger ends. */
export async function edgeOf(store: LedgerReads): Promise<LedgerEdge> {
  const size = await store.size();
  if (size === 0) return { frontier: { size, peaks: [] }, lastLeaf: undefined };
  const [frontier, [lastLeaf]] = await Promise.all([
    frontierAt(readerOf(store), size),
    store.nodes(0, size - 1, 1),
  ] as const);
  return { frontier, lastLeaf };
}

/**
 * Where a stored ledger ends that goes on from where it is known: by the leaves of what follows, whoever has written it, and by no
 * node that is stored. Nodes that this completes are stored on the way.
 */
export async function grownFrom(
  store: Pick<LedgerReads, "rows"> & Pick<LedgerStore, "putNodes">,
  known: LedgerEdge,
  onEntry: (edge: LedgerEdge) => Promise<void> = async () => undefined,
): Promise<LedgerEdge> {
  let edge = known;
  for (;;) {
    const rows = await store.rows(edge.frontier.size, ROWS_AT_ONCE);
    const completed: CompletedNode[] = [];
    for (const { entry } of rows) {
      if (entry.sequence !== edge.frontier.size + 1) break;
      const next = append(edge.frontier, entry.leaf);
      completed.push(...next.completed.filter(isStored));
      edge = { frontier: next.frontier, lastLeaf: entry.leaf };
      await onEntry(edge);
    }
    if (completed.length > 0) await store.putNodes(completed);
    if (rows.at(-1)?.entry.sequence !== edge.frontier.size || rows.length < ROWS_AT_ONCE) return edge;
  }
}

/** Few, since each may be of some length. */
const ROWS_AT_ONCE = 256;

/**
 * The same ledger to whoever decides by it: it ends where its writer's last entry is, even one that was changed since, and `read`
 * passes over what is foreign.
 */
export function countingReads<T extends Pick<LedgerReads, "counted" | "size" | "foreign">>(
  ledger: T,
): T & Pick<LedgerReads, "read"> {
  const { foreign, counted } = ledger;
  const appendedAt = (sequence: number) => foreign.at(sequence, "appended");
  return {
    ...ledger,
    size: async () => {
      let size = await ledger.size();
      for (let range = appendedAt(size); range !== undefined; range = appendedAt(size)) size = range.from - 1;
      return size;
    },
    read: counted,
  };
}

/** Whoever changes more of the last entries than this keeps what is newest from being known: a start reads no more for it. */
const NEWEST_WITHIN = 1000;

/**
 * The newest entry that counts, which is not the last one where that was changed.
 *
 * @param ledger as of `countingReads`
 * @returns undefined where the ledger is empty, or none of its last thousand entries counts
 */
export async function newestEntry(ledger: Pick<LedgerReads, "size" | "read">): Promise<LedgerEntry | undefined> {
  const size = await ledger.size();
  return (await ledger.read(Math.max(0, size - NEWEST_WITHIN), NEWEST_WITHIN)).at(-1);
}

/** Every entry after `after`, fetched in pages: for verification and export. */
export async function* allEntries(
  store: Pick<LedgerReads, "read">,
  after = 0,
  pageEntries = 1000,
): AsyncGenerator<LedgerEntry> {
  let last = after;
  for (;;) {
    const page = await store.read(last, pageEntries);
    if (page.length === 0) return;
    yield* page;
    last = (page.at(-1) as LedgerEntry).sequence;
  }
}

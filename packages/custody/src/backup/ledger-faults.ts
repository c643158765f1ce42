import {
  type EntryRange,
  entryLeaf,
  type ForeignEntries,
  GrowingTree,
  Ranges,
  rootOf,
  type StoredEntry,
  type TreeHead,
} from "@meterkeep/ledger";

/** What of a ledger in a backup is not as it was written. A custodian that starts on it tells the same, by its MACs. */
export interface LedgerFaults {
  /** Entries that say something else than what was hashed. */
  readonly differing: readonly EntryRange[];
  /** Entries that are gone. */
  readonly missing: readonly EntryRange[];
  /** Their leaves do not come to the tree of the newest checkpoint. */
  readonly isOther: boolean;
}

/** Looks through the rows of a ledger as they pass, in order. */
export class LedgerFaultFinder {
  readonly #tree = new GrowingTree();
  readonly #differing = new Ranges();
  readonly #missing = new Ranges();
  readonly #head: TreeHead | undefined;
  #last = 0;
  #isOther = false;

  /** @param head of the tree that the first entries should come to */
  constructor(head: TreeHead | undefined) {
    this.#head = head;
  }

  /** @returns those that say something else than what was hashed */
  take(rows: readonly StoredEntry[]): readonly StoredEntry[] {
    const differing = rows.filter(({ entry }) => !Buffer.from(entryLeaf(entry)).equals(entry.leaf));
    for (const { entry } of differing) this.#differing.add({ from: entry.sequence, to: entry.sequence });
    for (const { entry } of rows) {
      this.#missed(entry.sequence);
      this.#last = entry.sequence;
      // Without one that is gone nobody knows the tree.
      if (this.#missing.all.length > 0) continue;
      this.#tree.append(entry.leaf);
      if (this.#tree.size === this.#head?.size)
        this.#isOther = !Buffer.from(rootOf(this.#tree.frontier)).equals(this.#head.root);
    }
    return differing;
  }

  /** What was found of the first `size` entries. */
  found(size: number): LedgerFaults {
    this.#missed(size + 1);
    return { differing: this.#differing.all, missing: this.#missing.all, isOther: this.#isOther };
  }

  #missed(before: number): void {
    if (before > this.#last + 1) this.#missing.add({ from: this.#last + 1, to: before - 1 });
  }
}

export function isWhole({ differing, missing, isOther }: LedgerFaults): boolean {
  return differing.length === 0 && missing.length === 0 && !isOther;
}

/** What is wrong, in words for people. */
function faultWords({ differing, missing, isOther }: LedgerFaults): string {
  const told = [
    ...(differing.length > 0 ? [`of another text than was hashed: ${rangeWords(differing)}`] : []),
    ...(missing.length > 0 ? [`gone: ${rangeWords(missing)}`] : []),
    ...(isOther ? ["the leaves do not come to the tree of the last checkpoint"] : []),
  ];
  return told.join("; ");
}

function rangeWords(ranges: readonly EntryRange[]): string {
  const words = ranges.slice(0, MOST_IN_WORDS).map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`));
  const more = ranges.length - words.length;
  return `entries ${words.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** What people are told of it, and no more ranges than an entry takes. */
export interface ToldFaults extends LedgerFaults {
  readonly words: string;
}

export function toldFaults(faults: LedgerFaults): ToldFaults {
  const { differing, missing, isOther } = faults;
  const words = faultWords(faults);
  return { differing: differing.slice(0, MOST_TOLD), missing: missing.slice(0, MOST_TOLD), isOther, words };
}

/** Has people hear of it at once, and not when somebody restores. */
export async function tellFaults(
  foreign: ForeignEntries,
  differing: readonly StoredEntry[],
  { missing }: Pick<LedgerFaults, "missing">,
): Promise<void> {
  const own = differing.filter(({ entry: { sequence } }) => foreign.at(sequence, "appended") === undefined);
  const holds = await foreign.hold(own.map(({ entry, mac }) => ({ leaf: entryLeaf(entry), mac })));
  for (const [at, { entry }] of own.entries())
    if (holds[at] !== true) foreign.add({ from: entry.sequence, to: entry.sequence, fault: "altered" });
  for (const range of missing) foreign.tell({ ...range, fault: "missing" });
}

const MOST_TOLD = 64;
const MOST_IN_WORDS = 8;

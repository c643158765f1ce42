import type { StoredEntry } from "./stored-entry.ts";

/** Entries one after the other, both ends included. */
export interface EntryRange {
  readonly from: number;
  readonly to: number;
}

/**
 * What is wrong with entries of a ledger: nobody here has written them (behind its end, or behind a gap in its numbers), they were
 * changed since, they are gone, or one of them is of another history.
 */
export type EntryFault = "appended" | "beyond" | "altered" | "missing" | "replaced";

/** Entries that are not what their writer wrote. */
export interface Finding extends EntryRange {
  readonly fault: EntryFault;
}

/** A leaf, and what the writer's key is said to have made over it. */
export interface BoundLeaf {
  readonly leaf: Uint8Array;
  readonly mac: Uint8Array | undefined;
}

/** Says of each leaf whether its MAC is what the writer's key makes of it. */
export type LeafJudge = (leaves: readonly BoundLeaf[]) => Promise<readonly boolean[]>;

/**
 * What is stored in a ledger and is not what its writer wrote: it stays where it is, hashed and to be seen, and counts nowhere. Who
 * finds some adds it here; every reading by kind, by meter or of the newest leaves it out, and finds entries that were changed
 * (`counting`).
 */
export class ForeignEntries {
  #findings: readonly Finding[] = [];
  #found = 0;
  #excluded: readonly Finding[] = [];
  #beyond: bigint | undefined;
  #judge: LeafJudge | undefined;

  /** What people should hear of, in the order in which it was found: another list each time more is. */
  get findings(): readonly Finding[] {
    return this.#findings;
  }

  /** How often something was found. */
  get found(): number {
    return this.#found;
  }

  /** Has every reading judge what it reads from now on. */
  judgeBy(judge: LeafJudge): void {
    this.#judge = judge;
  }

  /** Entries that count nowhere from now on. */
  add(finding: Finding): void {
    if (!this.#excluded.some((one) => isWithin(finding, one))) this.#excluded = [...this.#excluded, finding];
    this.tell(finding);
  }

  /** What people should hear of. */
  tell({ from, to, fault }: Finding): void {
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from > to)
      throw new RangeError(`entries ${from} to ${to} are no range`);
    const finding = { from, to, fault };
    if (this.#findings.some((one) => one.fault === fault && isWithin(finding, one))) return;
    // Somebody may have read one of them before it was known to be appended: its MAC alone does not tell.
    const isOf = (one: Finding) => fault === "appended" && one.fault === "altered" && isWithin(one, finding);
    this.#findings = [...this.#findings.filter((one) => !isOf(one)), finding];
    this.#found += 1;
  }

  /** Where the first row stands that follows on from nothing: it and all behind it are of no ledger. */
  get beyond(): bigint | undefined {
    return this.#beyond;
  }

  /** The last number that can be an entry's, as text. */
  get limit(): string {
    return String((this.#beyond ?? 2n ** 63n) - 1n);
  }

  endBefore(beyond: bigint | undefined): void {
    this.#beyond = beyond;
  }

  has(sequence: number): boolean {
    return this.at(sequence) !== undefined;
  }

  /** Among which entries that count nowhere this one is; for this fault where it is given. */
  at(sequence: number, fault?: EntryFault): Finding | undefined {
    return this.#excluded.find(
      (one) => one.from <= sequence && sequence <= one.to && (fault === undefined || one.fault === fault),
    );
  }

  /**
   * Reads entries to decide by them, again without those that turn out to be changed: the newest of something is the newest that
   * is as it was written.
   *
   * @param read reads without those that are listed: the value of the parameter that `countingOnly` names
   * @param entriesOf all entries of what was read
   */
  async counting<T>(read: (listed: string) => Promise<T>, entriesOf: (found: T) => readonly StoredEntry[]): Promise<T> {
    for (;;) {
      const found = await read(this.listed);
      if ((await this.#alteredIn(entriesOf(found))).size === 0) return found;
    }
  }

  /**
   * Reads entries that stand behind something else, which nothing older may stand behind in their place: those that were changed are
   * among them, and whoever asks refuses what they are about.
   */
  async standing<T>(
    read: (listed: string) => Promise<T>,
    entriesOf: (found: T) => readonly StoredEntry[],
  ): Promise<{ readonly found: T; readonly altered: ReadonlySet<number> }> {
    const found = await read(this.#listOf(this.#excluded.filter(({ fault }) => fault === "appended")));
    return { found, altered: await this.#alteredIn(entriesOf(found)) };
  }

  /** Those that count nowhere. */
  get listed(): string {
    return this.#listOf(this.#excluded);
  }

  #listOf(ranges: readonly EntryRange[]): string {
    const all = ranges.map(({ from, to }) => `[${from},${to}]`);
    return `{${[...all, ...(this.#beyond === undefined ? [] : [`[${this.#beyond},)`])].join(",")}}`;
  }

  async #alteredIn(entries: readonly StoredEntry[]): Promise<ReadonlySet<number>> {
    const holds = await this.hold(entries.map(({ entry: { leaf }, mac }) => ({ leaf, mac })));
    const altered = entries.flatMap(({ entry }, at) => (holds[at] === true ? [] : [entry.sequence]));
    for (const range of rangesOf(altered)) this.add({ ...range, fault: "altered" });
    return new Set(altered);
  }

  /** Which leaves are the writer's; all are where nobody judges. */
  async hold(leaves: readonly BoundLeaf[]): Promise<readonly boolean[]> {
    return this.#judge === undefined || leaves.length === 0 ? leaves.map(() => true) : this.#judge(leaves);
  }
}

function isWithin(one: EntryRange, other: EntryRange): boolean {
  return other.from <= one.from && one.to <= other.to;
}

/** A condition over the column `sequence` for a `where` clause, with its `and`; the parameter is `listed`, as text. */
export function countingOnly(parameter: number): string {
  // Entries are counted from 1: a row below that, where the table's own check was dropped, is in no tree and in no export.
  return `and sequence >= 1 and not (sequence <@ $${parameter}::int8multirange)`;
}

/** Numbers as ranges, in order. */
export function rangesOf(numbers: readonly number[]): readonly EntryRange[] {
  const ranges: { from: number; to: number }[] = [];
  for (const number of [...new Set(numbers)].sort((one, other) => one - other)) {
    const last = ranges.at(-1);
    if (last?.to === number - 1) last.to = number;
    else ranges.push({ from: number, to: number });
  }
  return ranges;
}

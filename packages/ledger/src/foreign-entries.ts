/** Entries one after the other, both ends included. */
export interface EntryRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Entries that are stored in a ledger and that its writer has not written: they stay where they are, hashed and to be seen, and
 * count nowhere. Who finds them adds them here; every reading by kind, by meter or of the newest leaves them out.
 */
export class ForeignEntries {
  #ranges: readonly EntryRange[] = [];

  get ranges(): readonly EntryRange[] {
    return this.#ranges;
  }

  add(range: EntryRange): void {
    if (!Number.isSafeInteger(range.from) || !Number.isSafeInteger(range.to) || range.from > range.to)
      throw new RangeError(`entries ${range.from} to ${range.to} are no range`);
    this.#ranges = [...this.#ranges, range];
  }

  has(sequence: number): boolean {
    return this.at(sequence) !== undefined;
  }

  /** The foreign entries among which this one is. */
  at(sequence: number): EntryRange | undefined {
    return this.#ranges.find(({ from, to }) => from <= sequence && sequence <= to);
  }

  /**
   * A condition over the column `sequence` for a `where` clause, with its `and`. Entries are counted from 1: a row below that, where the
   * table's own check was dropped, is in no tree and in no export.
   */
  get condition(): string {
    if (this.#ranges.length === 0) return "and sequence >= 1";
    const ranges = this.#ranges.map(({ from, to }) => `[${from},${to}]`).join(",");
    return `and sequence >= 1 and not (sequence <@ '{${ranges}}'::int8multirange)`;
  }
}

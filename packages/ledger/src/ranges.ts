/** Entries one after the other, both ends included. */
export interface EntryRange {
  readonly from: number;
  readonly to: number;
}

/** A set of numbers as ranges in order, of which no two meet: to be asked and added to however many there are. */
export class Ranges {
  #all: EntryRange[] = [];

  get all(): readonly EntryRange[] {
    return this.#all;
  }

  /** The range in which a number is. */
  at(number: number): EntryRange | undefined {
    const range = this.#all[this.#firstEndingAt(number)];
    return range !== undefined && range.from <= number ? range : undefined;
  }

  /** Whether all of a range is in it. */
  covers({ from, to }: EntryRange): boolean {
    return (this.at(from)?.to ?? Number.NEGATIVE_INFINITY) >= to;
  }

  /** Adds all of a range, as one with those that it meets. @returns false where it was in it. */
  add({ from, to }: EntryRange): boolean {
    if (this.covers({ from, to })) return false;
    const first = this.#firstEndingAt(from - 1);
    let last = first;
    while ((this.#all[last]?.from ?? Number.POSITIVE_INFINITY) <= to + 1) last += 1;
    const met = this.#all.slice(first, last);
    const merged = {
      from: Math.min(from, met[0]?.from ?? from),
      to: Math.max(to, met.at(-1)?.to ?? to),
    };
    this.#all.splice(first, last - first, merged);
    return true;
  }

  /** Takes out what is within a range. */
  removeWithin({ from, to }: EntryRange): void {
    this.#all = this.#all.filter((one) => one.from < from || to < one.to);
  }

  /** The same in fewer ranges, of whole blocks: each number `width` to a block, from 1 on. */
  widened(width: number): Ranges {
    const wide = new Ranges();
    for (const { from, to } of this.#all)
      wide.add({ from: from - ((from - 1) % width), to: Math.min(Number.MAX_SAFE_INTEGER, blockEnd(to, width)) });
    return wide;
  }

  /** Where the first range stands that does not end before a number. */
  #firstEndingAt(number: number): number {
    let [from, to] = [0, this.#all.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#all[middle] as EntryRange).to < number) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

function blockEnd(number: number, width: number): number {
  const over = number % width;
  return over === 0 ? number : number - over + width;
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

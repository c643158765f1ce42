import { LedgerError } from "./errors.ts";
import { type EntryRange, Ranges, rangesOf } from "./ranges.ts";
import type { StoredEntry } from "./stored-entry.ts";

/**
 * What is wrong with entries of a ledger: nobody here has written them (behind its end, or behind a gap in its numbers), they were
 * changed since, they are gone, one of them is of another history, what is stored above them is not the hash over them, or the
 * database leaves them out where it is decided by them.
 */
export type EntryFault = "appended" | "beyond" | "altered" | "missing" | "replaced" | "rehashed" | "hidden";

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
  /** What people should hear of, by what is wrong. */
  readonly #told = new Map<EntryFault, Told>();
  #findings: readonly Finding[] | undefined = [];
  #found = 0;
  /** What counts nowhere, by why, and in all. */
  readonly #excluded = new Map<EntryFault, Ranges>();
  #nowhere = new Ranges();
  #listed: string | undefined;
  #beyond: bigint | undefined;
  #judge: LeafJudge | undefined;

  /**
   * What people should hear of: another list each time more is. Those that meet are one, and of very many with one thing wrong the
   * blocks are told in which they are.
   */
  get findings(): readonly Finding[] {
    this.#findings ??= [...this.#told].flatMap(([fault, { ranges }]) =>
      ranges.all.map((range) => ({ ...range, fault })),
    );
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
    checkRange(finding);
    const { from, to, fault } = finding;
    const of = this.#excluded.get(fault) ?? new Ranges();
    this.#excluded.set(fault, of);
    of.add({ from, to });
    if (this.#nowhere.add({ from, to })) this.#listed = undefined;
    this.tell(finding);
  }

  /** What people should hear of. */
  tell(finding: Finding): void {
    checkRange(finding);
    const { from, to, fault } = finding;
    const told = this.#told.get(fault) ?? { ranges: new Ranges(), width: 1 };
    if (!told.ranges.add({ from, to })) return;
    this.#told.set(fault, asFew(told));
    // Somebody may have read one of them before it was known to be appended: its MAC alone does not tell.
    if (fault === "appended") this.#told.get("altered")?.ranges.removeWithin({ from, to });
    this.#findings = undefined;
    this.#found += 1;
  }

  /** These were put right: they count again, and nobody is told of them any more. */
  forget(right: readonly Finding[]): void {
    for (const { from, to, fault } of right) {
      this.#told.get(fault)?.ranges.removeWithin({ from, to });
      this.#excluded.get(fault)?.removeWithin({ from, to });
    }
    // What is wrong in more than one way counts nowhere still.
    this.#nowhere = new Ranges();
    for (const { all } of this.#excluded.values()) for (const range of all) this.#nowhere.add(range);
    this.#listed = undefined;
    this.#findings = undefined;
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
    this.#listed = undefined;
  }

  has(sequence: number): boolean {
    return this.at(sequence) !== undefined;
  }

  /** Among which entries that count nowhere this one is; for this fault where it is given. */
  at(sequence: number, fault?: EntryFault): Finding | undefined {
    for (const [of, ranges] of this.#excluded) {
      const range = fault === undefined || fault === of ? ranges.at(sequence) : undefined;
      if (range !== undefined) return { ...range, fault: of };
    }
    return undefined;
  }

  /**
   * Reads entries to decide by them, again without those that turn out to be changed: the newest of something is the newest that
   * is as it was written.
   *
   * @param read reads without those that are listed: the value of the parameter that `countingOnly` names; `time` is how often it
   *   was read before, so that a reading of the newest can look at more of them
   * @param entriesOf all entries of what was read
   * @throws LedgerError `ledger-altered` where too much was changed to be left out
   */
  async counting<T>(
    read: (listed: string, time: number) => Promise<T>,
    entriesOf: (found: T) => readonly StoredEntry[],
  ): Promise<T> {
    for (let time = 0; time < MOST_TIMES; time += 1) {
      const found = await read(this.listed, time);
      if ((await this.#alteredIn(entriesOf(found))).size === 0) return found;
    }
    throw tooMuch();
  }

  /**
   * Reads entries that stand behind something else, which nothing older may stand behind in their place: those that were changed are
   * among them, and whoever asks refuses what they are about.
   */
  async standing<T>(
    read: (listed: string) => Promise<T>,
    entriesOf: (found: T) => readonly StoredEntry[],
  ): Promise<{ readonly found: T; readonly altered: ReadonlySet<number> }> {
    const found = await read(this.#listOf(this.#excluded.get("appended")?.all ?? []));
    return { found, altered: await this.#alteredIn(entriesOf(found)) };
  }

  /** Those that count nowhere. */
  get listed(): string {
    this.#listed ??= this.#listOf(this.#nowhere.all);
    return this.#listed;
  }

  #listOf(ranges: readonly EntryRange[]): string {
    const all = ranges.map(({ from, to }) => `[${from},${to}]`);
    return `{${[...all, ...(this.#beyond === undefined ? [] : [`[${this.#beyond},)`])].join(",")}}`;
  }

  async #alteredIn(entries: readonly StoredEntry[]): Promise<ReadonlySet<number>> {
    const holds = await this.hold(entries.map(({ entry: { leaf }, mac }) => ({ leaf, mac })));
    const altered = entries.flatMap(({ entry }, at) => (holds[at] === true ? [] : [entry.sequence]));
    for (const range of rangesOf(altered)) this.add({ ...range, fault: "altered" });
    if (this.#nowhere.all.length > MOST_RANGES) throw tooMuch();
    return new Set(altered);
  }

  /** Which leaves are the writer's; all are where nobody judges. */
  async hold(leaves: readonly BoundLeaf[]): Promise<readonly boolean[]> {
    return this.#judge === undefined || leaves.length === 0 ? leaves.map(() => true) : this.#judge(leaves);
  }
}

interface Told {
  readonly ranges: Ranges;
  /** Entries of the blocks in which they are told: each alone where it is 1. */
  readonly width: number;
}

/** Of very many, the blocks in which they are. */
function asFew({ ranges, width }: Told): Told {
  let [few, wide] = [width === 1 ? ranges : ranges.widened(width), width];
  while (few.all.length > MOST_TOLD) {
    wide *= WIDER;
    few = few.widened(wide);
  }
  return { ranges: few, width: wide };
}

function checkRange({ from, to }: EntryRange): void {
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from > to)
    throw new RangeError(`entries ${from} to ${to} are no range`);
}

function tooMuch(): LedgerError {
  return new LedgerError(
    "ledger-altered",
    "so many entries were changed since this custodian wrote them that what is left cannot be read without them: put the database back from before",
  );
}

/** Findings of one kind that are told one by one. */
const MOST_TOLD = 1000;
/** So many times as many entries have the blocks in which they are told then. */
const WIDER = 256;
/** What counts nowhere goes with every statement. */
const MOST_RANGES = 50_000;
/** How often a reading is made again: each time it reads more of what is older. */
const MOST_TIMES = 4096;

/** A condition over the column `sequence` for a `where` clause, with its `and`; the parameter is `listed`, as text. */
export function countingOnly(parameter: number): string {
  // Entries are counted from 1: a row below that, where the table's own check was dropped, is in no tree and in no export.
  return `and sequence >= 1 and not (sequence <@ $${parameter}::int8multirange)`;
}

import {
  append,
  type CompletedNode,
  EMPTY_FRONTIER,
  type EntryFault,
  type EntryRange,
  entryLeaf,
  type Finding,
  type Frontier,
  HASH_BYTES,
  type LedgerEdge,
  type LedgerEntry,
  rangesOf,
  type StoredEntry,
} from "@meterkeep/ledger";
import type { CustodyStore } from "../store/store.ts";
import { type DecidingQuestions, OF_ITSELF } from "./deciding-questions.ts";

/** How fast the patrol reads, and how often it begins. */
export interface PatrolSettings {
  readonly entriesPerSecond: number;
  /** From the end of a pass to the beginning of the next. */
  readonly everySeconds: number;
}

export const DEFAULT_PATROL_SETTINGS: PatrolSettings = { entriesPerSecond: 1000, everySeconds: 3600 };

/** What the patrol needs. */
export interface PatrolDependencies {
  readonly ledger: Pick<CustodyStore["ledger"], "foreign" | "rows" | "nodes" | "putNodes">;
  /** Where the ledger ends, as this process knows it and not as its rows say. */
  readonly edge: () => Promise<LedgerEdge>;
  readonly questions: Pick<DecidingQuestions, "kinds" | "leftOut" | "leftOutOfKinds">;
  readonly settings: PatrolSettings;
  readonly now: () => number;
}

/** What a pass through the whole ledger has come to. */
export interface PassedPatrol {
  /** What was known of it when the pass began. */
  readonly before: readonly Finding[];
  /** All that is wrong with its first `size` entries. */
  readonly found: readonly Finding[];
  readonly size: number;
}

/** A pass through the ledger as it was when the pass began. */
interface Pass {
  readonly target: Frontier;
  /** Of the tree of what was read, which has every entry in its place. */
  frontier: Frontier;
  /** Blocks whose stored node is another. */
  readonly suspects: EntryRange[];
  /** Nodes of any stored level that are stored otherwise, or not. */
  readonly others: CompletedNode[];
}

/**
 * Reads the whole ledger in order, over and over, for what nobody who decides by entries comes across: entries that are gone, that
 * call themselves something else now, or that are of another history; and asks for what it has read as whoever decides by it does.
 * What is found is told to `ForeignEntries`, and what is not found any more.
 *
 * States: *resting* (until the next pass begins; the first begins at once), *passing* (a page at a time, at each `tick`).
 */
export class LedgerPatrol {
  readonly #dependencies: PatrolDependencies;
  #pass: Pass | undefined;
  #nextAt = 0;
  /** What was known when the pass began, and what has been found since. */
  #before: readonly Finding[] = [];
  #found: Finding[] = [];
  /** Kinds that are read whole by who decides by them, and the numbers of their entries so far. */
  #kinds: ReadonlySet<string> = new Set();
  #byKind = new Map<string, number[]>();
  #passed: PassedPatrol | undefined;
  #isReading = false;
  /** After how many entries everything was read at once, up to where the ledger ended when that was first asked for. */
  #readFrom: number | undefined;

  constructor(dependencies: PatrolDependencies) {
    this.#dependencies = dependencies;
  }

  /** Reads on as far as one second allows; to be called every second. @returns whether a pass has ended with it */
  async tick(): Promise<boolean> {
    const { now, settings, edge } = this.#dependencies;
    if (this.#isReading || (this.#pass === undefined && now() < this.#nextAt)) return false;
    this.#isReading = true;
    try {
      this.#pass ??= this.#begin((await edge()).frontier);
      const pass = this.#pass;
      const { size } = pass.target;
      const end = Math.min(size, pass.frontier.size + settings.entriesPerSecond);
      while (pass.frontier.size < end)
        await this.#ask(await this.#page(pass, Math.min(end - pass.frontier.size, PAGE_ENTRIES)));
      if (pass.frontier.size < size) return false;
      this.#tell(await this.#dependencies.questions.leftOutOfKinds(this.#byKind), "hidden");
      await this.#renew(pass);
      this.#end(pass);
      this.#passed = { before: this.#before, found: this.#found, size };
      this.#pass = undefined;
      this.#nextAt = now() + settings.everySeconds * 1000;
      return true;
    } finally {
      this.#isReading = false;
    }
  }

  /**
   * Reads at once what follows the first `after` entries, as far as that has not been done: whoever asks before it decides is led by
   * nothing that was hidden there. An entry of another history is left to a pass, which has the whole tree and asks for what it has read.
   */
  async readFrom(after: number): Promise<void> {
    const end = this.#readFrom ?? (await this.#dependencies.edge()).frontier.size;
    if (after >= end) return;
    const pass: Pass = { target: EMPTY_FRONTIER, frontier: unknownTree(after), suspects: [], others: [] };
    while (pass.frontier.size < end) await this.#page(pass, Math.min(end - pass.frontier.size, PAGE_ENTRIES));
    this.#readFrom = after;
  }

  /** What the last pass has come to; undefined before one has ended. */
  get passed(): PassedPatrol | undefined {
    return this.#passed;
  }

  #begin(target: Frontier): Pass {
    const { ledger, questions } = this.#dependencies;
    this.#before = ledger.foreign.findings;
    this.#found = [];
    this.#kinds = questions.kinds;
    this.#byKind = new Map();
    return { target, frontier: EMPTY_FRONTIER, suspects: [], others: [] };
  }

  /** Reads the next so many entries, whether they are there or not. @returns those that are as they were written */
  async #page(pass: Pass, count: number): Promise<readonly LedgerEntry[]> {
    const { ledger } = this.#dependencies;
    const after = pass.frontier.size;
    const rows = (await ledger.rows(after, count)).filter(({ entry }) => entry.sequence <= after + count);
    const leaves = new Map<number, Uint8Array>();
    const altered: number[] = [];
    const own: LedgerEntry[] = [];
    for (const { entry, leaf, isAltered, isOwn } of await this.#leavesOf(rows)) {
      if (isAltered) altered.push(entry.sequence);
      if (isOwn) own.push(entry);
      if (leaf !== undefined) leaves.set(entry.sequence, leaf);
    }
    const there = new Set(rows.map(({ entry }) => entry.sequence));
    const all = Array.from({ length: count }, (_, at) => after + 1 + at);
    const missing = all.filter((sequence) => !there.has(sequence));
    let { frontier } = pass;
    const suspects: EntryRange[] = [];
    const others: CompletedNode[] = [];
    for (const sequence of all) {
      const next = append(frontier, leaves.get(sequence) ?? NO_LEAF);
      frontier = next.frontier;
      for (const node of next.completed) {
        if (node.level === 0 || node.level % BLOCK_LEVEL !== 0) continue;
        const [stored] = await ledger.nodes(node.level, node.index, 1);
        if (stored !== undefined && Buffer.from(stored).equals(node.hash)) continue;
        others.push(node);
        if (node.level === BLOCK_LEVEL) suspects.push({ from: sequence - BLOCK_ENTRIES + 1, to: sequence });
      }
    }
    this.#tell(altered, "altered");
    this.#tell(missing, "missing");
    pass.suspects.push(...suspects);
    pass.others.push(...others);
    pass.frontier = frontier;
    return own;
  }

  /** Asks for them as whoever decides by them does. */
  async #ask(own: readonly LedgerEntry[]): Promise<void> {
    for (const { kind, sequence } of own) {
      if (!this.#kinds.has(kind) && !kind.startsWith(OF_ITSELF)) continue;
      const numbers = this.#byKind.get(kind) ?? [];
      numbers.push(sequence);
      this.#byKind.set(kind, numbers);
    }
    this.#tell(await this.#dependencies.questions.leftOut(own), "hidden");
  }

  #tell(sequences: readonly number[], fault: EntryFault): void {
    const { foreign } = this.#dependencies.ledger;
    // What was found while it was asked for is left out for that.
    const those = fault === "hidden" ? sequences.filter((sequence) => !foreign.has(sequence)) : sequences;
    for (const range of rangesOf(those)) this.#add({ ...range, fault });
  }

  #add(finding: Finding): void {
    const { foreign } = this.#dependencies.ledger;
    this.#found.push(finding);
    if (finding.fault === "altered") foreign.add(finding);
    else foreign.tell(finding);
  }

  /** The leaf that each had when it was written, where anything says so. */
  async #leavesOf(rows: readonly StoredEntry[]) {
    const { foreign } = this.#dependencies.ledger;
    const own = rows.filter(({ entry: { sequence } }) => foreign.at(sequence, "appended") === undefined);
    const holds = await foreign.hold(own.map(({ entry, mac }) => ({ leaf: entryLeaf(entry), mac })));
    const altered = new Set(own.filter((_, at) => holds[at] !== true));
    // Whoever changes what an entry says, and not its leaf, leaves the tree as it was.
    const left = [...altered];
    const hasLeaf = await foreign.hold(left.map(({ entry: { leaf }, mac }) => ({ leaf, mac })));
    const lost = new Set(left.filter((_, at) => hasLeaf[at] !== true));
    const whole = new Set(own.filter((row) => !altered.has(row)));
    return rows.map((row) => {
      const { entry } = row;
      // What was appended by somebody else is in the tree by the leaf that was stored with it, whatever it says.
      const isOwn = whole.has(row);
      const leaf = lost.has(row) ? undefined : isOwn ? entryLeaf(entry) : entry.leaf;
      return { entry, isAltered: altered.has(row), isOwn, leaf };
    });
  }

  /** Stores anew what was stored of the tree above the leaves and is not the hash over them, where the tree is the one that is known. */
  async #renew({ target, frontier, others }: Pass): Promise<void> {
    const { ledger } = this.#dependencies;
    const peaks = peaksOf(target).filter(({ at }) => isSame(frontier.peaks[at], target.peaks[at]));
    for (const node of others) {
      const width = 2 ** node.level;
      const [from, to] = [node.index * width + 1, (node.index + 1) * width];
      if (!peaks.some((peak) => peak.from <= from && to <= peak.to)) continue;
      await ledger.putNodes([node]);
      this.#add({ from, to, fault: "rehashed" });
    }
  }

  /** Holds the tree against the one that this process knows. */
  #end({ target, frontier, suspects }: Pass): void {
    for (const peak of peaksOf(target)) {
      if (isSame(frontier.peaks[peak.at], target.peaks[peak.at])) continue;
      const within = suspects.filter(({ from, to }) => peak.from <= from && to <= peak.to);
      // Where the stored nodes were changed as well, they say nothing. An entry whose leaf nobody knows makes its block another one,
      // and may be there for just that: the others of the block are told with it.
      const replaced = within.length > 0 ? within : [{ from: peak.from, to: peak.to }];
      for (const { from, to } of replaced) this.#add({ from, to, fault: "replaced" });
    }
  }
}

function isSame(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one !== undefined && other !== undefined && Buffer.from(one).equals(other);
}

/** As many peaks as a tree of that size has, of which nothing is known. */
function unknownTree(size: number): Frontier {
  return { size, peaks: Array.from(size.toString(2).replaceAll("0", ""), () => NO_LEAF) };
}

/** Which entries are under each peak. */
function peaksOf({ size, peaks }: Frontier): readonly (EntryRange & { readonly at: number })[] {
  let [left, from] = [size, 1];
  return peaks.map((_, at) => {
    const width = 2 ** Math.floor(Math.log2(left));
    const range = { at, from, to: from + width - 1 };
    left -= width;
    from += width;
    return range;
  });
}

/** Entries of a statement: few enough that nobody waits for them. */
const PAGE_ENTRIES = 256;
/** The lowest stored level above the leaves. */
const BLOCK_LEVEL = 8;
const BLOCK_ENTRIES = 2 ** BLOCK_LEVEL;
const NO_LEAF: Uint8Array = new Uint8Array(HASH_BYTES);

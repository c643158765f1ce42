import { appendFileSync, createReadStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { edgeOf, entryOf, type Growth, growthBy, type LedgerDraft, LedgerError, leafOfLine } from "@meterkeep/ledger";
import { PkiError } from "@meterkeep/pki";
import { CustodyError } from "../errors.ts";
import type { CustodyStore } from "../store/store.ts";
import { feedChange, feedLine } from "./feed-line.ts";
import { callAgain, type FeedChange, type FeedEdge } from "./feeding-store.ts";

/** What was done again. */
export interface Replayed {
  readonly changes: number;
  /** Refused by the database, as they were the first time. */
  readonly refused: number;
  /** Ledger entries that were added. */
  readonly entries: number;
  /** When the last change was made, milliseconds since 1970 UTC; undefined where none was. */
  readonly until: number | undefined;
  /** Why it ended before the end of the feed. */
  readonly broken: string | undefined;
}

type Commit = Extract<FeedChange, { kind: "commit" }>;

/**
 * Does the changes of a feed again on a restored database, from where its ledger ends.
 *
 * A change was noted before it was made, so that of several that follow the same entry only the last one was: the others
 * were refused. What the ledger grows by must follow what is there, leaf for leaf; where it does not the feed is broken
 * and what came before is kept.
 */
export async function replay(store: CustodyStore, changes: AsyncIterable<unknown>): Promise<Replayed> {
  const run = new Replay(store);
  try {
    await run.begin();
    if (run.broken === undefined)
      for await (const change of changes) {
        await run.take(change as FeedChange);
        if (run.broken !== undefined) break;
      }
    await run.end();
    return run.result();
  } finally {
    run[Symbol.dispose]();
  }
}

class Replay implements Disposable {
  readonly #store: CustodyStore;
  readonly #spool = mkdtempSync(join(tmpdir(), "meterkeep-replay-"));
  /** The newest commit that grows the ledger, until it is known whether it was made; and what was noted after it. */
  #pending: Commit | undefined;
  #behind: FeedChange[] = [];
  #begun = false;
  #changes = 0;
  #refused = 0;
  #entries = 0;
  #until: number | undefined;
  broken: string | undefined;

  constructor(store: CustodyStore) {
    this.#store = store;
  }

  /** Where an entry is gone of the last block, nobody knows the tree, and nothing can follow. */
  async begin(): Promise<void> {
    try {
      await this.#edge();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.broken = `the ledger has no end that anything could follow: ${error.message}`;
    }
  }

  async take(change: FeedChange): Promise<void> {
    if (change.kind === "gap") {
      // Before the backup it is of no concern.
      if (this.#begun) this.broken = `changes are missing in the feed: ${change.problem}`;
      return;
    }
    if (change.kind === "commit" && change.growth !== undefined) await this.#grow(change, change.growth);
    else if (change.kind === "stage") appendFileSync(this.#stageFile(change.stage), `${feedLine(change)}\n`);
    // Before the first commit that is missing it may be in the backup already: doing these again changes nothing.
    else this.#behind.push(change);
  }

  async end(): Promise<void> {
    await this.#settle();
  }

  result(): Replayed {
    return {
      changes: this.#changes,
      refused: this.#refused,
      entries: this.#entries,
      until: this.#until,
      broken: this.broken,
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.#spool, { recursive: true, force: true });
  }

  async #grow(change: Commit, { from, to }: NonNullable<Commit["growth"]>): Promise<void> {
    if (!this.#begun) {
      const here = await this.#edge();
      // What the backup has already; the first that follows it begins.
      if (to.size <= here.size) {
        this.#behind = [];
        return;
      }
      if (!isSame(from, here)) {
        if (from.size > here.size)
          this.broken = `the feed begins after entry ${here.size}, with entry ${from.size + 1}`;
        return;
      }
      this.#begun = true;
    }
    const before = this.#pending?.growth;
    if (before !== undefined && !isSame(before.to, from)) {
      if (!isSame(before.from, from)) {
        this.broken = `the feed goes from entry ${before.to.size} to entry ${from.size}`;
        return;
      }
      // The same place again: the former one was refused.
      this.#pending = undefined;
      this.#refused += 1;
    }
    await this.#settle();
    this.#pending = change;
  }

  async #settle(): Promise<void> {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending?.growth !== undefined) {
      const growth = await this.#growthOf(pending.growth);
      if (growth === undefined) return;
      await this.#do(() => this.#store.commit(pending.writes, growth), growth.entries.length);
      this.#until = pending.at;
    }
    const behind = this.#behind;
    this.#behind = [];
    for (const change of behind) await this.#do(() => this.#again(change), 0);
  }

  async #growthOf({ from, lines, strange = [], macs }: NonNullable<Commit["growth"]>): Promise<Growth | undefined> {
    const edge = await edgeOf(this.#store.ledger);
    const others = new Map(strange.map((entry) => [entry.sequence, entry]));
    const entries = lines.map((line, at) => {
      const sequence = from.size + 1 + at;
      return others.get(sequence) ?? entryOf(sequence, JSON.parse(line) as LedgerDraft);
    });
    // What somebody else had written before them has none.
    const foreign = Array.from({ length: lines.length - (macs?.entries.length ?? 0) }, () => undefined);
    const growth = {
      ...growthBy(edge, entries),
      macs: macs && { ...macs, entries: [...foreign, ...macs.entries.map((mac) => mac ?? undefined)] },
    };
    const holds =
      edge.frontier.size === from.size &&
      entries.every(
        ({ sequence, leaf }, at) => others.has(sequence) || Buffer.from(leaf).equals(leafOfLine(lines[at] as string)),
      );
    if (!holds) this.broken = `the feed's entries after ${from.size} do not follow what is in the ledger`;
    return holds ? growth : undefined;
  }

  async #do(act: () => Promise<unknown>, entries: number): Promise<void> {
    try {
      await act();
      this.#changes += 1;
      this.#entries += entries;
    } catch (error) {
      const wasRefused =
        (error instanceof CustodyError && error.code === "custody-write-conflict") ||
        (error instanceof LedgerError && error.code === "ledger-forked") ||
        error instanceof PkiError;
      if (!wasRefused) throw error;
      this.#refused += 1;
    }
  }

  async #again(change: FeedChange): Promise<void> {
    switch (change.kind) {
      case "commit":
        return this.#store.commit(change.writes);
      case "shipment":
        return this.#shipment(change);
      case "call":
        return callAgain(this.#store, change);
      case "stage":
      case "gap":
        return;
      default:
        change satisfies never;
    }
  }

  async #shipment({ stage, shipment }: Extract<FeedChange, { kind: "shipment" }>): Promise<void> {
    const staged = await this.#store.stageShipment();
    try {
      const file = createReadStream(this.#stageFile(stage));
      for await (const line of createInterface({ input: file })) {
        const change = feedChange(line) as Extract<FeedChange, { kind: "stage" }>;
        const { conflict } = await staged.add(change.meters);
        if (conflict !== undefined)
          throw new CustodyError("custody-write-conflict", `${conflict.systemTitle}: ${conflict.problem}`);
      }
      await staged.commit(shipment);
    } finally {
      await staged.drop();
    }
  }

  #stageFile(stage: number): string {
    return join(this.#spool, String(stage));
  }

  async #edge(): Promise<FeedEdge> {
    const { frontier, lastLeaf } = await edgeOf(this.#store.ledger);
    return { size: frontier.size, leaf: lastLeaf && Buffer.from(lastLeaf).toString("hex") };
  }
}

function isSame(one: FeedEdge, other: FeedEdge): boolean {
  return one.size === other.size && one.leaf === other.leaf;
}

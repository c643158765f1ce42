import { checkDraft, type LedgerDraft, type LedgerEntry } from "./entry.ts";
import { LedgerError } from "./errors.ts";
import { type Growth, growthOf, type LedgerEdge } from "./growth.ts";
import { edgeOf, type LedgerStore } from "./store.ts";
import { rootOf } from "./tree/frontier.ts";
import type { TreeHead } from "./tree/verify-proofs.ts";

const MAX_GROUP = 1000;
/** Another process can be quicker so many times in a row before somebody must look. */
const MOST_ATTEMPTS = 32;

/** How a ledger is written. */
export interface LedgerOptions {
  /**
   * Other processes write it too. What is appended then follows what they have written meanwhile; only a ledger that has not
   * grown is forked. Without it any entry of somebody else is.
   */
  readonly shared?: boolean;
}

interface Waiting {
  readonly drafts: readonly LedgerDraft[];
  readonly resolve: (entries: LedgerEntry[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Appends drafts in groups: what arrives while an append is under way shares the next one.
 *
 * States: *idle* (nothing waiting, nothing under way), *appending* (one append under way, more may wait), *closed*.
 * An append that fails rejects every caller of its group and the stored end is read again before the next.
 */
export class Ledger {
  readonly #store: LedgerStore;
  readonly #shared: boolean;
  #edge: LedgerEdge | undefined;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(store: LedgerStore, { shared = false }: LedgerOptions = {}) {
    this.#store = store;
    this.#shared = shared;
  }

  /** Writes drafts in their order and resolves when they are durable: act only after that. */
  async append(...drafts: readonly LedgerDraft[]): Promise<LedgerEntry[]> {
    if (this.#closed) throw new LedgerError("ledger-closed", "the ledger has been closed");
    for (const draft of drafts) checkDraft(draft);
    const { promise, resolve, reject } = Promise.withResolvers<LedgerEntry[]>();
    this.#waiting.push({ drafts, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  /** Size and root of the tree, as far as this process knows. */
  async head(): Promise<TreeHead> {
    const { frontier } = await this.#end();
    return { size: frontier.size, root: rootOf(frontier) };
  }

  /** At most `limit` entries after `after`. */
  read(after: number, limit: number): Promise<LedgerEntry[]> {
    return this.#store.read(after, limit);
  }

  /** Waits for what is under way and refuses anything after it. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #end(): Promise<LedgerEdge> {
    this.#edge ??= await edgeOf(this.#store);
    return this.#edge;
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, MAX_GROUP);
      try {
        await this.#appendGroup(group);
      } catch (error) {
        this.#edge = undefined;
        for (const waiting of group) waiting.reject(error);
      }
    }
    this.#running = undefined;
  }

  async #appendGroup(group: readonly Waiting[]): Promise<void> {
    const growth = await this.#grow(group.flatMap((waiting) => waiting.drafts));
    this.#edge = growth.to;
    let from = 0;
    for (const waiting of group) {
      waiting.resolve(growth.entries.slice(from, from + waiting.drafts.length));
      from += waiting.drafts.length;
    }
  }

  async #grow(drafts: readonly LedgerDraft[]): Promise<Growth> {
    for (let attempt = 1; ; attempt += 1) {
      const growth = growthOf(await this.#end(), drafts);
      try {
        if (growth.entries.length > 0) await this.#store.append(growth);
        return growth;
      } catch (error) {
        const isForked = error instanceof LedgerError && error.code === "ledger-forked";
        if (!this.#shared || !isForked || attempt >= MOST_ATTEMPTS) throw error;
        this.#edge = undefined;
        if ((await this.#end()).frontier.size <= growth.from.frontier.size) throw error;
      }
    }
  }
}

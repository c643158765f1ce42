import { chain, checkDraft, type LedgerDraft, type LedgerEntry, type LedgerHead } from "./entry.ts";
import { LedgerError } from "./errors.ts";
import type { LedgerStore } from "./store.ts";

const MAX_GROUP = 1000;

interface Waiting {
  readonly drafts: readonly LedgerDraft[];
  readonly resolve: (entries: LedgerEntry[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Appends drafts in groups: what arrives while an append is under way shares the next one.
 *
 * States: *idle* (nothing waiting, nothing under way), *appending* (one append under way, more may wait), *closed*.
 * An append that fails rejects every caller of its group and the head is read again before the next.
 */
export class Ledger {
  readonly #store: LedgerStore;
  #head: LedgerHead | undefined;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(store: LedgerStore) {
    this.#store = store;
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

  /** The last entry's sequence and hash, as far as this process knows. */
  async head(): Promise<LedgerHead> {
    this.#head ??= await this.#store.head();
    return this.#head;
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

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, MAX_GROUP);
      try {
        await this.#appendGroup(group);
      } catch (error) {
        this.#head = undefined;
        for (const waiting of group) waiting.reject(error);
      }
    }
    this.#running = undefined;
  }

  async #appendGroup(group: readonly Waiting[]): Promise<void> {
    const entries = chain(
      await this.head(),
      group.flatMap((waiting) => waiting.drafts),
    );
    if (entries.length > 0) await this.#store.append(entries);
    this.#head = entries.at(-1) ?? this.#head;
    let from = 0;
    for (const waiting of group) {
      waiting.resolve(entries.slice(from, from + waiting.drafts.length));
      from += waiting.drafts.length;
    }
  }
}

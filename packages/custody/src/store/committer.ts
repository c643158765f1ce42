import { chain, checkDraft, type LedgerDraft, type LedgerHead } from "@meterkeep/ledger";
import { CustodyError } from "../errors.ts";
import type { CustodyStore, Write } from "./store.ts";

/** Writes and ledger entries that belong together: durable all, or none. */
export interface Change {
  readonly writes?: readonly Write[];
  readonly entries?: readonly LedgerDraft[];
}

/** Makes changes durable. Octets leave only after the promise has been kept. */
export interface Committer {
  submit(change: Change): Promise<void>;
}

interface Waiting {
  readonly change: Change;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Commits in groups: what is submitted while a commit is under way shares the next one, so that durability costs a
 * session about one commit whatever the load.
 *
 * States: *idle*, *committing* (one commit under way, changes may wait), *closed* (nothing more is taken).
 * When the database refuses a group, each change is tried alone, so that only the one to blame fails. After any failure
 * the ledger's head is read again.
 */
export class GroupCommitter implements Committer {
  static readonly MAX_GROUP = 512;
  readonly #store: Pick<CustodyStore, "commit" | "ledgerHead">;
  #head: LedgerHead | undefined;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(store: Pick<CustodyStore, "commit" | "ledgerHead">) {
    this.#store = store;
  }

  async submit(change: Change): Promise<void> {
    if (this.#closed) throw new CustodyError("custody-closed", "custody is closing: nothing more is written");
    for (const draft of change.entries ?? []) checkDraft(draft);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ change, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  /** The ledger's last entry. */
  async head(): Promise<LedgerHead> {
    this.#head ??= await this.#store.ledgerHead();
    return this.#head;
  }

  /** Waits for what was submitted and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    // Lets everything submitted in this turn of the event loop into the first group: what one step writes, an entry
    // here and a reservation there, is one commit.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, GroupCommitter.MAX_GROUP);
      await this.#commit(group);
    }
    this.#running = undefined;
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    try {
      const entries = chain(
        await this.head(),
        group.flatMap(({ change }) => change.entries ?? []),
      );
      await this.#store.commit(
        group.flatMap(({ change }) => change.writes ?? []),
        entries,
      );
      this.#head = entries.at(-1) ?? this.#head;
      for (const { resolve } of group) resolve();
    } catch (error) {
      this.#head = undefined;
      if (group.length > 1 && isRefusal(error)) for (const one of group) await this.#commit([one]);
      else for (const { reject } of group) reject(error);
    }
  }
}

/** Refused by the database, so surely not written: trying the parts alone cannot write anything twice. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof CustodyError &&
    (error.code === "custody-write-conflict" || error.code === "counter-line-exhausted")
  );
}

import { CallRefusal } from "../calls/call-refusal.ts";

/** A session that is being opened. */
export interface Opening {
  readonly title: string;
  readonly caller: string;
  /** Why it may not become a session any more; undefined while it may. */
  readonly ended: { readonly reason: string | undefined } | undefined;
}

interface Noted extends Opening {
  ended: Opening["ended"];
  readonly over: Promise<void>;
}

/** Openings under way: what ends sessions ends these as well, before they are any. */
export class Openings {
  readonly #underWay = new Set<Noted>();
  #isClosed = false;

  /**
   * Opens one. Whether it is ended must be looked at in the turn of the event loop that makes a session of it.
   *
   * @throws CallRefusal `custodian-closing` where none may begin any more
   */
  async during<T>(title: string, caller: string, open: (opening: Opening) => Promise<T>): Promise<T> {
    if (this.#isClosed)
      throw new CallRefusal("custodian-closing", "the custodian is closing; ask again when it is back");
    const { promise, resolve } = Promise.withResolvers<void>();
    const opening: Noted = { title, caller, ended: undefined, over: promise };
    this.#underWay.add(opening);
    try {
      return await open(opening);
    } finally {
      this.#underWay.delete(opening);
      resolve();
    }
  }

  /** Ends all, at once, and refuses those that would begin from now on; resolves when each of them is over. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.end(() => true);
  }

  /** Ends those that are meant, at once; resolves when each of them is over. */
  async end(isMeant: (opening: Opening) => boolean, reason?: string): Promise<void> {
    const meant = [...this.#underWay].filter(isMeant);
    for (const opening of meant) opening.ended ??= { reason };
    await Promise.all(meant.map(({ over }) => over));
  }
}

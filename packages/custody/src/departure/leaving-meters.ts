import { CallRefusal } from "../calls/call-refusal.ts";

/** What is under way with a meter. */
interface UnderWay {
  calls: number;
  readonly over: PromiseWithResolvers<void>;
}

/**
 * Which meters are about to leave. What of a meter goes with it (the keys that are on it, the highest counter that it may have seen)
 * is read after the last thing that was under way with it, and before anything else can begin: whoever would speak to it, or
 * change what it has, is inside or is refused (ADR 0071).
 */
export class LeavingMeters {
  readonly #leaving = new Set<string>();
  readonly #underWay = new Map<string, UnderWay>();

  /** @throws CallRefusal `meter-leaving` */
  requireStaying(systemTitle: string): void {
    if (this.#leaving.has(systemTitle))
      throw new CallRefusal("meter-leaving", `meter ${systemTitle} is leaving: nothing is begun with it`);
  }

  /** Does something with meters, none of which leaves before that is over. @throws CallRefusal `meter-leaving` */
  async during<T>(systemTitles: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const title of systemTitles) this.requireStaying(title);
    for (const title of systemTitles) this.#enter(title);
    try {
      return await work();
    } finally {
      for (const title of systemTitles) this.#exit(title);
    }
  }

  /**
   * Refuses from now on whatever would begin with these meters, until what it gives is disposed of; resolves when what is under way
   * is over.
   *
   * @throws CallRefusal `meter-leaving` where one of them is leaving already
   */
  async leave(systemTitles: readonly string[]): Promise<Disposable> {
    for (const title of systemTitles) this.requireStaying(title);
    for (const title of systemTitles) this.#leaving.add(title);
    await Promise.all(systemTitles.flatMap((title) => this.#underWay.get(title)?.over.promise ?? []));
    return {
      [Symbol.dispose]: () => {
        for (const title of systemTitles) this.#leaving.delete(title);
      },
    };
  }

  #enter(title: string): void {
    const known = this.#underWay.get(title);
    if (known === undefined) this.#underWay.set(title, { calls: 1, over: Promise.withResolvers() });
    else known.calls += 1;
  }

  #exit(title: string): void {
    const known = this.#underWay.get(title);
    if (known === undefined) return;
    known.calls -= 1;
    if (known.calls > 0) return;
    this.#underWay.delete(title);
    known.over.resolve();
  }
}

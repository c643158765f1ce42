import type { LedgeredOrders } from "./ledgered-orders.ts";

const DAY_MS = 86_400_000;

/** Orders that were let through, until the ledger has them, or they have failed. */
export type TakenOrders = Disposable;

/** What this process knows of a requester. */
interface Known {
  /** What was counted last and all that was taken since: undefined where nothing was counted yet. */
  atMost: number | undefined;
  /** All that was ever taken. */
  taken: number;
  /** Of that, what may not be in the ledger yet; each ends by itself. */
  readonly open: Set<{ readonly wanted: number; readonly ended: PromiseWithResolvers<void> }>;
}

/**
 * How many certificates each requester has ordered in 24 hours, at most: what was counted last and all that was taken since.
 * The ledger counts only where that bound would refuse, so that a factory's million is not counted at every batch of it; rows
 * of the registry may be taken out by whoever owns it. What was taken and is on its way to the ledger counts beside it.
 */
export class OrderCount {
  readonly #orders: Pick<LedgeredOrders, "countSince">;
  readonly #known = new Map<string, Known>();

  constructor(orders: Pick<LedgeredOrders, "countSince">) {
    this.#orders = orders;
  }

  /**
   * Takes so many more for a requester.
   *
   * @returns what is to be disposed of when the ledger has them, where they are within `limit`; else how many it has ordered,
   * and none was taken
   */
  async take(requester: string, wanted: number, limit: number, at: number): Promise<TakenOrders | number> {
    const known = this.#of(requester);
    for (;;) {
      if (known.atMost !== undefined && known.atMost + wanted <= limit) return taken(known, wanted);
      const before = known.taken;
      const open = [...known.open];
      const counted = await this.#orders.countSince(requester, at - DAY_MS);
      // Those that were open when the ledger was asked it may have counted, and may not have.
      const ordered = counted + open.reduce((sum, one) => sum + one.wanted, 0) + (known.taken - before);
      known.atMost = ordered;
      if (ordered + wanted <= limit) return taken(known, wanted);
      if (counted + wanted > limit || (open.length === 0 && known.taken === before)) return ordered;
      await Promise.all(open.map(({ ended }) => ended.promise));
    }
  }

  #of(requester: string): Known {
    let known = this.#known.get(requester);
    if (known === undefined) {
      known = { atMost: undefined, taken: 0, open: new Set() };
      this.#known.set(requester, known);
    }
    return known;
  }
}

function taken(known: Known, wanted: number): TakenOrders {
  const one = { wanted, ended: Promise.withResolvers<void>() };
  known.atMost = (known.atMost ?? 0) + wanted;
  known.taken += wanted;
  known.open.add(one);
  return {
    [Symbol.dispose]: () => {
      known.open.delete(one);
      one.ended.resolve();
    },
  };
}

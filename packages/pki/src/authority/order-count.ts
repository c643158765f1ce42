import type { LedgeredOrders } from "./ledgered-orders.ts";

const DAY_MS = 86_400_000;

/**
 * How many certificates each requester has ordered in 24 hours, at most: what was counted last and all that was taken since.
 * The ledger counts only where that bound would refuse, so that a factory's million is not counted at every batch of it; rows
 * of the registry may be taken out by whoever owns it.
 */
export class OrderCount {
  readonly #orders: Pick<LedgeredOrders, "countSince">;
  readonly #atMost = new Map<string, number>();

  constructor(orders: Pick<LedgeredOrders, "countSince">) {
    this.#orders = orders;
  }

  /**
   * Takes so many more for a requester.
   *
   * @returns undefined where they are within `limit`; else how many it has ordered, and none was taken
   */
  async take(requester: string, wanted: number, limit: number, at: number): Promise<number | undefined> {
    const known = this.#atMost.get(requester);
    if (known !== undefined && known + wanted <= limit) {
      this.#atMost.set(requester, known + wanted);
      return undefined;
    }
    const counted = await this.#orders.countSince(requester, at - DAY_MS);
    const meanwhile = Math.max(0, (this.#atMost.get(requester) ?? 0) - (known ?? 0));
    const ordered = counted + meanwhile;
    const fits = ordered + wanted <= limit;
    this.#atMost.set(requester, fits ? ordered + wanted : ordered);
    return fits ? undefined : ordered;
  }
}

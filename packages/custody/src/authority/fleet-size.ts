import type { OwnTime } from "@meterkeep/guard";
import type { CustodyStore } from "../store/store.ts";

/** Counting millions takes seconds and a small town no time: a count is good for so long for each meter of it. */
const MILLISECONDS_A_METER = 0.6;
/** And never longer. */
const MOST_MILLISECONDS = 10 * 60_000;

/** How many meters there are, which caps are a share of: a million are counted anew every ten minutes lived. */
export class FleetSize {
  readonly #store: Pick<CustodyStore, "meterCount">;
  readonly #time: Pick<OwnTime, "lived">;
  /** By utility; of all under the empty name. */
  readonly #counted = new Map<string, { readonly lived: number; readonly size: number }>();

  constructor(store: Pick<CustodyStore, "meterCount">, time: Pick<OwnTime, "lived">) {
    this.#store = store;
    this.#time = time;
  }

  /** Of all, or of one utility. */
  async now(utility?: string): Promise<number> {
    const { lived } = this.#time;
    const known = this.#counted.get(utility ?? "");
    const isGood =
      known !== undefined && lived - known.lived < Math.min(MOST_MILLISECONDS, known.size * MILLISECONDS_A_METER);
    if (isGood) return known.size;
    const size = await this.#store.meterCount(utility);
    this.#counted.set(utility ?? "", { lived, size });
    return size;
  }
}

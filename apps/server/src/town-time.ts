import { parseAddresses, type SourceClock, townClock, WALL_SOURCE_CLOCK } from "@meterkeep/headend";
import { TOWN_ADDRESSES } from "./commissioning.ts";
import type { ExchangeFiles } from "./exchange-files.ts";

/** The town's clock as its file tells it; ours while there is no town. */
export class TownTime {
  readonly #files: Pick<ExchangeFiles, "text" | "stamp">;
  #stamp = "";
  #clock: SourceClock = WALL_SOURCE_CLOCK;

  constructor(exchange: Pick<ExchangeFiles, "text" | "stamp">) {
    this.#files = exchange;
  }

  get clock(): SourceClock {
    return this.#clock;
  }

  /** Reads the file if it has changed. */
  async look(): Promise<void> {
    const stamp = await this.#files.stamp(TOWN_ADDRESSES);
    if (stamp === this.#stamp) return;
    const text = await this.#files.text(TOWN_ADDRESSES);
    const time = text === undefined ? undefined : parseAddresses(text).time;
    this.#clock = time === undefined ? WALL_SOURCE_CLOCK : townClock(time);
    this.#stamp = stamp;
  }
}

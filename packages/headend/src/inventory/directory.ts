import { systemTitleText } from "@meterkeep/dlms";
import type { Inventory } from "./inventory.ts";
import type { Meter } from "./meter.ts";

/** The meters of the island by system title, held in memory for what comes in by the thousand. */
export class MeterDirectory {
  readonly #inventory: Pick<Inventory, "all">;
  #byTitle: ReadonlyMap<string, Meter> = new Map();

  constructor(inventory: Pick<Inventory, "all">) {
    this.#inventory = inventory;
  }

  /** Reads the inventory anew: after an import, after a meter was attached. */
  async refresh(): Promise<void> {
    this.#byTitle = new Map((await this.#inventory.all()).map((meter) => [meter.title, meter]));
  }

  /** The meter of that system title, or undefined. */
  find(systemTitle: Uint8Array | string): Meter | undefined {
    return this.#byTitle.get(
      typeof systemTitle === "string"
        ? systemTitle
        : systemTitleText(systemTitle as Parameters<typeof systemTitleText>[0]),
    );
  }

  get meters(): readonly Meter[] {
    return [...this.#byTitle.values()];
  }
}

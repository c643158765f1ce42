import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { MeterPlace } from "./concentrator.ts";

/** Where the town's meters are, as addresses.json says it: read again when it has changed, since a restart moves them. */
export class MeterPlaces {
  readonly #file: string;
  #stamp = "";
  #places: ReadonlyMap<string, MeterPlace> = new Map();

  constructor(exchangeDirectory: string) {
    this.#file = join(exchangeDirectory, "addresses.json");
  }

  /** Meters that are reached in the field alone, in the town's order. */
  async inField(): Promise<readonly string[]> {
    await this.#look();
    return [...this.#places.keys()];
  }

  async find(title: string): Promise<MeterPlace | undefined> {
    await this.#look();
    return this.#places.get(title);
  }

  async #look(): Promise<void> {
    const { mtimeMs, ino } = await stat(this.#file);
    const stamp = `${mtimeMs} ${ino}`;
    if (stamp === this.#stamp) return;
    const { meters } = JSON.parse(await readFile(this.#file, "utf8")) as {
      readonly meters: readonly { systemTitle: string; host?: string; port?: number; depotPort?: number }[];
    };
    this.#places = new Map(
      meters.flatMap(({ systemTitle, host, port, depotPort }) =>
        host === undefined || port === undefined || depotPort !== undefined ? [] : [[systemTitle, { host, port }]],
      ),
    );
    this.#stamp = stamp;
  }
}

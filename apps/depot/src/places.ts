import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Address, parseAddresses, parseGrid } from "@meterkeep/headend";

/**
 * Who is on the bench and where, as the exchange directory tells it: the meters of the feeders whose path is the depot. A file
 * that cannot be read is told once, and what was known before stays: the bench goes on with it until the file is repaired.
 */
export class Places {
  readonly #exchange: string;
  readonly #onBroken: (error: unknown) => void;
  #seen = "";
  #known: ReadonlyMap<string, Address> = new Map();

  constructor(exchangeDirectory: string, onBroken: (error: unknown) => void) {
    this.#exchange = exchangeDirectory;
    this.#onBroken = onBroken;
  }

  /** By system title. */
  get known(): ReadonlyMap<string, Address> {
    return this.#known;
  }

  /** Reads the files anew where one of them has changed. It never throws. */
  async look(): Promise<void> {
    try {
      const stamp = await this.#stamp();
      if (stamp === this.#seen) return;
      this.#seen = stamp;
      this.#known = await this.#read();
    } catch (error) {
      this.#onBroken(error);
    }
  }

  /** Changes whenever one of the files is written anew. */
  async #stamp(): Promise<string> {
    const stamps = ["grid.json", "addresses.json"].map(async (name) => {
      const facts = await stat(join(this.#exchange, name)).catch(() => undefined);
      return `${facts?.ino} ${facts?.mtimeMs} ${facts?.size}`;
    });
    return (await Promise.all(stamps)).join(" ");
  }

  async #read(): Promise<ReadonlyMap<string, Address>> {
    const gridText = await readIfThere(join(this.#exchange, "grid.json"));
    const addressText = await readIfThere(join(this.#exchange, "addresses.json"));
    if (gridText === undefined || addressText === undefined) return new Map();
    const depot = new Map(
      parseAddresses(addressText).meters.flatMap((meter) =>
        meter.depot === undefined ? [] : [[meter.systemTitle, meter.depot]],
      ),
    );
    const titles = parseGrid(gridText)
      .feeders.filter(({ path }) => path === "depot")
      .flatMap((feeder) => [feeder.transformer.meter, ...feeder.homes.map(({ meter }) => meter)]);
    return new Map(
      titles.flatMap((title) => {
        const address = depot.get(title);
        return address === undefined ? [] : [[title, address]];
      }),
    );
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** A simulated home and where its meter is reached. */
export interface DrillTarget {
  /** Upper-case hex. */
  readonly meter: string;
  readonly host: string;
  readonly port: number;
}

/**
 * The homes of the simulated town: those that the grid file names, that the town says it runs, on this machine's own
 * loopback. Nothing else is ever a target; a real meter is in neither file, and none listens on loopback.
 *
 * @throws Error when a home of the town is said to be somewhere else: then nobody is.
 */
export async function simulatedHomes(exchangeDirectory: string): Promise<readonly DrillTarget[]> {
  const grid = JSON.parse(await readFile(join(exchangeDirectory, "grid.json"), "utf8")) as {
    feeders: readonly { homes: readonly { meter: string }[] }[];
  };
  const { meters } = JSON.parse(await readFile(join(exchangeDirectory, "addresses.json"), "utf8")) as {
    meters: readonly { systemTitle: string; host: string; port: number }[];
  };
  const addresses = new Map(meters.map((meter) => [meter.systemTitle, meter]));
  return grid.feeders.flatMap(({ homes }) =>
    homes.flatMap(({ meter }) => {
      const address = addresses.get(meter);
      if (address === undefined) return [];
      if (!/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$|^::1$|^localhost$/.test(address.host))
        throw new Error(`meter ${meter} is at ${address.host}, which is no virtual meter: the drill targets nobody`);
      return [{ meter, host: address.host, port: address.port }];
    }),
  );
}

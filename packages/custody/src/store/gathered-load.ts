import type { MeterFile } from "./records.ts";

/** Meters of one statement. */
const MOST_OF_A_LOAD = 64;

interface Wanted {
  readonly title: string;
  readonly resolve: (file: MeterFile | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Loads meters one at a time with a statement for all that were asked for within one turn of the event loop: sessions are
 * opened by the dozen, and a statement costs more than the rows of a meter.
 */
export function gatheredLoad(
  loadAll: (titles: readonly string[]) => Promise<readonly MeterFile[]>,
): (title: string) => Promise<MeterFile | undefined> {
  let wanted: Wanted[] = [];
  const load = async (batch: readonly Wanted[]): Promise<void> => {
    try {
      const files = await loadAll([...new Set(batch.map(({ title }) => title))]);
      const byTitle = new Map(files.map((file) => [file.meter.systemTitle, file]));
      for (const { title, resolve } of batch) resolve(byTitle.get(title.toUpperCase()));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };
  const begin = (): void => {
    const all = wanted;
    wanted = [];
    for (let at = 0; at < all.length; at += MOST_OF_A_LOAD) void load(all.slice(at, at + MOST_OF_A_LOAD));
  };
  return (title) => {
    const { promise, resolve, reject } = Promise.withResolvers<MeterFile | undefined>();
    if (wanted.length === 0) setImmediate(begin);
    wanted.push({ title, resolve, reject });
    return promise;
  };
}

import type { StoredCheckpoint } from "../checkpoint/store.ts";
import { entryLine, type UnhashedEntry } from "../entry.ts";

/** First member of an export's first line. */
export const EXPORT_FORMAT = "meterkeep-ledger-export-1";

/** Where an export comes from, in pages. */
export interface ExportSource {
  /** Name of the ledger; undefined for one that has no keys. */
  readonly log: string | undefined;
  /** How many entries are to be exported. */
  readonly size: number;
  entries(after: number): Promise<readonly UnhashedEntry[]>;
  /** Checkpoints of at least so many entries, in order; none when there are no more. */
  checkpoints(from: number): Promise<readonly StoredCheckpoint[]>;
}

/** The lines of an export: a head, then every entry as it was hashed, each checkpoint after the last entry it covers. */
export async function* exportLines(source: ExportSource, exportedAt: Date): AsyncGenerator<string> {
  const { log, size } = source;
  yield JSON.stringify({
    format: EXPORT_FORMAT,
    ...(log !== undefined && { log }),
    size,
    exportedAt: exportedAt.toISOString(),
  });
  let waiting = await source.checkpoints(1);
  for (let after = 0; after < size; ) {
    const page = (await source.entries(after)).filter(({ sequence }) => sequence <= size);
    if (page.length === 0) return;
    for (const entry of page) {
      yield entryLine(entry);
      after = entry.sequence;
      while (waiting[0] !== undefined && waiting[0].size <= after) {
        const [{ note, cosignatures, size: at }, ...others] = waiting as [StoredCheckpoint, ...StoredCheckpoint[]];
        yield JSON.stringify({ checkpoint: note, cosignatures });
        waiting = others.length > 0 ? others : await source.checkpoints(at + 1);
      }
    }
  }
}

import { LedgerError } from "../errors.ts";
import type { SqlClient } from "../postgres-store.ts";
import { MAX_NOTE_CHARACTERS, parseNote } from "./note.ts";

/** A signed checkpoint and what witnesses have added. */
export interface StoredCheckpoint {
  readonly size: number;
  readonly note: string;
  readonly cosignatures: readonly { readonly witness: string; readonly lines: string }[];
}

/** Where checkpoints are kept. Both adapters keep what is there. */
export interface CheckpointStore {
  /** @returns whether it is there now: somebody may have put something else in its place */
  add(size: number, note: string): Promise<boolean>;
  cosign(size: number, witness: string, lines: string): Promise<void>;
  /** The newest of at most `size` entries, of those that are checkpoints at all. */
  last(size: number): Promise<StoredCheckpoint | undefined>;
  /** In the order of sizes, those of at least `from` entries. */
  list(from: number, limit: number): Promise<StoredCheckpoint[]>;
}

/** Checkpoints that last as long as the process. */
export function memoryCheckpointStore(): CheckpointStore {
  const stored: { size: number; note: string; cosignatures: { witness: string; lines: string }[] }[] = [];
  return {
    add: async (size, note) => {
      if (stored.every((one) => one.size !== size)) stored.push({ size, note, cosignatures: [] });
      return stored.some((one) => one.size === size && one.note === note);
    },
    cosign: async (size, witness, lines) => {
      const cosignatures = stored.find((one) => one.size === size)?.cosignatures;
      if (cosignatures?.every((one) => one.witness !== witness)) cosignatures.push({ witness, lines });
    },
    last: async (size) => stored.findLast((one) => one.size <= size && isCheckpoint(one)),
    list: async (from, limit) => stored.filter(({ size }) => size >= from).slice(0, limit),
  };
}

// A row may have been put there by somebody else, and be of any length and number.
const SELECT = `select size, left(note, ${MAX_NOTE_CHARACTERS + 1}) as note,
  coalesce((select jsonb_agg(jsonb_build_object('witness', left(witness, 128), 'lines', left(line, ${MAX_NOTE_CHARACTERS}))
    order by witness) from (select * from ledger_cosignatures s where s.size = c.size order by witness limit 64) of), '[]')
    as cosignatures
  from ledger_checkpoints c`;

/** So many rows that are no checkpoints may stand before the newest that is one. */
const MOST_STRANGE = 64;

/** Checkpoints in the tables beside the ledger's. */
export function postgresCheckpointStore(client: SqlClient): CheckpointStore {
  return {
    add: async (size, note) => {
      const { rowCount } = await client.query(
        "insert into ledger_checkpoints (size, note) values ($1, $2) on conflict do nothing",
        [size, note],
      );
      if (rowCount === 1) return true;
      const { rows } = await client.query("select from ledger_checkpoints where size = $1 and note = $2", [size, note]);
      return rows.length === 1;
    },
    cosign: async (size, witness, lines) => {
      await client.query(
        "insert into ledger_cosignatures (size, witness, line) values ($1, $2, $3) on conflict do nothing",
        [size, witness, lines],
      );
    },
    last: async (size) => {
      const { rows } = await client.query(`${SELECT} where size <= $1 order by size desc limit ${MOST_STRANGE}`, [
        size,
      ]);
      return rows.map(checkpointOf).find(isCheckpoint);
    },
    list: async (from, limit) => {
      const { rows } = await client.query(
        `${SELECT} where size between $1 and ${Number.MAX_SAFE_INTEGER} order by size limit $2`,
        [from, limit],
      );
      return rows.map(checkpointOf);
    },
  };
}

/** Whether it says of itself what its row says of it; by whose keys, others ask. */
function isCheckpoint({ size, note }: Pick<StoredCheckpoint, "size" | "note">): boolean {
  try {
    return parseNote(note).checkpoint.size === size;
  } catch (error) {
    if (error instanceof LedgerError) return false;
    throw error;
  }
}

function checkpointOf(row: unknown): StoredCheckpoint {
  const { size, note, cosignatures } = row as Omit<StoredCheckpoint, "size"> & { readonly size: string };
  return { size: Number(size), note, cosignatures };
}

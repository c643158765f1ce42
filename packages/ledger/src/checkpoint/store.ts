import type { SqlClient } from "../postgres-store.ts";

/** A signed checkpoint and what witnesses have added. */
export interface StoredCheckpoint {
  readonly size: number;
  readonly note: string;
  readonly cosignatures: readonly { readonly witness: string; readonly lines: string }[];
}

/** Where checkpoints are kept. Both adapters keep what is there. */
export interface CheckpointStore {
  add(size: number, note: string): Promise<void>;
  cosign(size: number, witness: string, lines: string): Promise<void>;
  last(): Promise<StoredCheckpoint | undefined>;
  /** In the order of sizes, those of at least `from` entries. */
  list(from: number, limit: number): Promise<StoredCheckpoint[]>;
}

/** Checkpoints that last as long as the process. */
export function memoryCheckpointStore(): CheckpointStore {
  const stored: { size: number; note: string; cosignatures: { witness: string; lines: string }[] }[] = [];
  return {
    add: async (size, note) => {
      if (stored.every((one) => one.size !== size)) stored.push({ size, note, cosignatures: [] });
    },
    cosign: async (size, witness, lines) => {
      const cosignatures = stored.find((one) => one.size === size)?.cosignatures;
      if (cosignatures?.every((one) => one.witness !== witness)) cosignatures.push({ witness, lines });
    },
    last: async () => stored.at(-1),
    list: async (from, limit) => stored.filter(({ size }) => size >= from).slice(0, limit),
  };
}

const SELECT = `select size, note, coalesce((select jsonb_agg(jsonb_build_object('witness', witness, 'lines', line)
  order by witness) from ledger_cosignatures s where s.size = c.size), '[]') as cosignatures
  from ledger_checkpoints c`;

/** Checkpoints in the tables beside the ledger's. */
export function postgresCheckpointStore(client: SqlClient): CheckpointStore {
  return {
    add: async (size, note) => {
      await client.query("insert into ledger_checkpoints (size, note) values ($1, $2) on conflict do nothing", [
        size,
        note,
      ]);
    },
    cosign: async (size, witness, lines) => {
      await client.query(
        "insert into ledger_cosignatures (size, witness, line) values ($1, $2, $3) on conflict do nothing",
        [size, witness, lines],
      );
    },
    last: async () => {
      const { rows } = await client.query(`${SELECT} order by size desc limit 1`);
      return rows.map(checkpointOf)[0];
    },
    list: async (from, limit) => {
      const { rows } = await client.query(`${SELECT} where size >= $1 order by size limit $2`, [from, limit]);
      return rows.map(checkpointOf);
    },
  };
}

function checkpointOf(row: unknown): StoredCheckpoint {
  const { size, note, cosignatures } = row as Omit<StoredCheckpoint, "size"> & { readonly size: string };
  return { size: Number(size), note, cosignatures };
}

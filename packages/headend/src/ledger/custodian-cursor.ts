import type { Scope } from "../database/scope.ts";
import { firstRow, type SqlPool } from "../database/sql.ts";

/** How far a ledger was followed. */
export interface LedgerCursor {
  /** The sequence of the last entry that was told; undefined where none ever was. */
  load(): Promise<number | undefined>;
  /** Durable when it resolves. */
  save(sequence: number): Promise<void>;
}

/** How far this island's head-end has followed the custodian's ledger. */
export function custodianCursor(pool: SqlPool, scope: Scope): LedgerCursor {
  return {
    load: async () => {
      const row = await firstRow<{ readonly sequence: string }>(
        pool,
        "select sequence from custodian_told where utility_id = $1 and island_id = $2",
        [...scope.place],
      );
      return row && Number(row.sequence);
    },
    save: async (sequence) => {
      await pool.query(
        `insert into custodian_told (utility_id, island_id, sequence) values ($1, $2, $3)
         on conflict (utility_id, island_id) do update set sequence = excluded.sequence`,
        [...scope.place, sequence],
      );
    },
  };
}

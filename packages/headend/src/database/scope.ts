import { firstRow, type Sql } from "./sql.ts";

/** The tenant and the cell that everything a head-end does belongs to; `place` starts every key of its tables. */
export interface Scope {
  readonly utility: string;
  readonly island: string;
  /** `[utility_id, island_id]`: the first two values of every statement. */
  readonly place: readonly [utilityId: number, islandId: number];
}

/** Finds the utility and the island by name, or makes them. */
export async function openScope(sql: Sql, utility: string, island: string): Promise<Scope> {
  await sql.query("insert into utilities (name) values ($1) on conflict (name) do nothing", [utility]);
  await sql.query(
    `insert into islands (utility_id, island_id, name)
     select u.utility_id, coalesce((select max(i.island_id) + 1 from islands i where i.utility_id = u.utility_id), 1), $2
     from utilities u where u.name = $1
     on conflict (utility_id, name) do nothing`,
    [utility, island],
  );
  const row = await firstRow<{ utility_id: number; island_id: number }>(
    sql,
    `select utility_id, island_id from islands join utilities using (utility_id)
     where utilities.name = $1 and islands.name = $2`,
    [utility, island],
  );
  if (row === undefined) throw new Error(`the island ${utility}/${island} vanished while it was being opened`);
  return { utility, island, place: [row.utility_id, row.island_id] };
}

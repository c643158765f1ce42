import type { Sql } from "./sql.ts";

/**
 * Has PostgreSQL count the tables that grow by the thousand with an import. Until it has, it takes them for empty, and joins
 * them by looking at every row for every row; autovacuum would come to it a minute later.
 */
export async function refreshStatistics(sql: Sql): Promise<void> {
  await sql.query("select refresh_statistics()");
}

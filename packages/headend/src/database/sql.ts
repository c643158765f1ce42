import type { Pool, PoolClient } from "pg";

/** What a store needs of a `pg` pool or client. Rows are typed by the statement that asks for them. */
export interface Sql {
  query(
    text: string,
    values?: unknown[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly rowCount: number | null }>;
}

/** A pool that lends clients, for what takes a transaction. */
export type SqlPool = Pick<Pool, "connect"> & Sql;

/** One connection of a pool, as a transaction has it. */
export type SqlClient = Pick<PoolClient, "query"> & Sql;

/** The rows of a statement, as the statement's author says they look. */
export async function rows<Row>(sql: Sql, text: string, values: unknown[] = []): Promise<readonly Row[]> {
  return (await sql.query(text, values)).rows as readonly Row[];
}

/** The first row, or undefined. */
export async function firstRow<Row>(sql: Sql, text: string, values: unknown[] = []): Promise<Row | undefined> {
  return (await rows<Row>(sql, text, values))[0];
}

/** What a store needs of a `pg` pool or client. Rows are typed by the statement that asks for them. */
export interface Sql {
  query(
    text: string,
    values?: unknown[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly rowCount: number | null }>;
}

/** A pool that lends clients, for what takes more than one statement. */
export interface SqlPool extends Sql {
  connect(): Promise<Sql & { release(error?: Error | boolean): void }>;
}

/** Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. */
export async function inTransaction<T>(pool: SqlPool, work: (sql: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const result = await work(client);
    await client.query("commit");
    client.release();
    return result;
  } catch (error) {
    try {
      await client.query("rollback");
      client.release();
    } catch (cause) {
      client.release(cause instanceof Error ? cause : true);
    }
    throw error;
  }
}

/** The rows of a statement, as the statement's author says they look. */
export async function rows<Row>(sql: Sql, text: string, values: unknown[] = []): Promise<readonly Row[]> {
  return (await sql.query(text, values)).rows as readonly Row[];
}

/** The first row, or undefined. */
export async function firstRow<Row>(sql: Sql, text: string, values: unknown[] = []): Promise<Row | undefined> {
  return (await rows<Row>(sql, text, values))[0];
}

import { inTransaction } from "@meterkeep/postgres";
import type { Sql, SqlPool } from "./sql.ts";

/** Reads with several statements what there is at one moment: what is written or judged meanwhile is in none of them, or in all. */
export function atOneMoment<Result>(
  pool: Pick<SqlPool, "connect">,
  body: (sql: Sql) => Promise<Result>,
): Promise<Result> {
  return inTransaction(pool, async (sql) => {
    await sql.query("set transaction isolation level repeatable read, read only");
    return body(sql);
  });
}

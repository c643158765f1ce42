import { setTimeout as wait } from "node:timers/promises";
import type { Sql, SqlPool } from "../database/sql.ts";

/** Resolves when somebody waits for a lock of this database: a state that is certain to come where it is awaited. */
export async function somebodyWaits(pool: SqlPool): Promise<void> {
  for (;;) {
    const { rows } = await pool.query(
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    if (rows.length > 0) return;
    await wait(5);
  }
}

/** The pool, where `act` happens once, before the first statement that looks so or behind it. */
export function interrupted<Pool extends Pick<SqlPool, "connect" | "query">>(
  pool: Pool,
  when: "before" | "behind",
  looksSo: RegExp,
  act: () => Promise<unknown>,
): Pool {
  let isOver = false;
  const once = async (now: typeof when, text: string) => {
    if (isOver || now !== when || !looksSo.test(text)) return;
    isOver = true;
    await act();
  };
  const watched = (of: Sql) => async (text: string, values?: unknown[]) => {
    await once("before", text);
    const answer = await of.query(text, values);
    await once("behind", text);
    return answer;
  };
  const connect = async () => {
    const client = await pool.connect();
    return { query: watched(client), release: (error?: Error) => client.release(error) };
  };
  return { query: watched(pool), connect } as unknown as Pool;
}

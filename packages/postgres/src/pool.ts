import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { prepareStatements } from "./prepared.ts";
import { endSession, giveUpUnanswered, isSessionAtWork } from "./unanswered.ts";

/** A connection that nobody has asked for anything for so long is closed. */
const IDLE_MILLISECONDS = 60_000;

/** What a pool needs to know beyond its connection string. */
export interface PoolOptions {
  /** Shown by PostgreSQL as the name of the client. */
  readonly applicationName: string;
  /** Connections at most. Default 8. */
  readonly maxConnections?: number;
  /**
   * What was opened stays open until the pool ends, however long nobody asks it for anything: for who cannot log in again, as an
   * owner whose password `prepareSchema` has used up. Otherwise a connection that is idle for a minute is closed.
   */
  readonly staysOpen?: boolean;
  /**
   * A connection that was asked something and has given no answer for so long is given up, unless the server says that it is at work on
   * it; a commit in any case. Otherwise it is waited for as long as it takes.
   */
  readonly answerMilliseconds?: number;
  /** Is told of a connection that broke while it was idle. The pool itself goes on with a new one. */
  readonly onIdleError?: (error: Error) => void;
}

/**
 * Opens a pool. A connection that breaks is replaced: a server that restarts costs its callers an error for what was
 * under way, never the process. Statements with values are prepared ({@link prepareStatements}).
 */
export function createPool(url: string, options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: options.applicationName,
    max: options.maxConnections ?? 8,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: options.staysOpen === true ? 0 : IDLE_MILLISECONDS,
    keepAlive: true,
  });
  const onIdleError = options.onIdleError ?? ((): void => undefined);
  // Without listeners, either event would end the process.
  pool.on("error", onIdleError);
  pool.on("connect", (client) => {
    client.on("error", onIdleError);
    prepareStatements(client);
    const { answerMilliseconds: milliseconds } = options;
    if (milliseconds !== undefined)
      giveUpUnanswered(client, {
        milliseconds,
        isAtWork: (processId) => isSessionAtWork(url, processId),
        end: (processId) => endSession(url, processId),
      });
  });
  return pool;
}

/** Typed queries over a pool: `createQueries<HeadEndTables>(pool)`. Destroying it ends the pool. */
export function createQueries<Tables>(pool: pg.Pool): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}

/**
 * Runs `body` in one transaction on one connection. It commits when `body` ends and rolls back when it throws; a
 * connection whose rollback fails is thrown away.
 */
export async function inTransaction<Result>(
  pool: Pick<pg.Pool, "connect">,
  body: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query("begin");
    const result = await body(client);
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch((rollbackError: Error) => {
      broken = rollbackError;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

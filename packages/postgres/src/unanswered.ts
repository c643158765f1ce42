import pg from "pg";

/** How long the server may take to say what a connection of ours is doing. */
const ASKING_MILLISECONDS = 10_000;
/** SQLSTATE of a server, or a role, that has no connection left for a question. */
const TOO_MANY_CONNECTIONS = "53300";

/** What of a connection is watched. */
export type WatchedClient = Pick<pg.ClientBase, "query">;

/** What `pg` has of a connection and does not declare. */
interface Connected {
  readonly processID: number | null;
  readonly connection: { readonly stream: { destroy(error: Error): void } };
}

/** How connections are watched. */
export interface Watching {
  /** Without an answer for so long the server is asked, over another connection, what it is doing. */
  readonly milliseconds: number;
  /** Whether the server is at work on what the session of this process was asked. A server that does not answer either is not. */
  readonly isAtWork: (processId: number) => Promise<boolean>;
  /** Ends the session of a connection that was given up: the server may not know that nobody listens any more. */
  readonly end: (processId: number) => Promise<void>;
}

/**
 * Gives a connection up that has been asked something and gets no answer, unless the server says that it is at work on it: whoever waits
 * hears of a connection that was lost (`ETIMEDOUT`), after which nobody knows whether what was asked was done. A commit is given up in any
 * case: what it waits for, a disk or a standby, is nothing that its statement takes. Streams and cursors take as long as whoever reads or
 * writes them. The session of a connection that was given up is ended: what it has locked would have whoever asks again wait as long.
 */
export function giveUpUnanswered(client: WatchedClient, { milliseconds, isAtWork, end }: Watching): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  const { processID, connection } = client as unknown as Connected;
  const giveUp = (): void => {
    const why = `the database has not answered for ${milliseconds / 1000} s: the connection is given up`;
    connection.stream.destroy(Object.assign(new Error(why), { code: "ETIMEDOUT" }));
    // A server that does not answer ends it by itself once it hears that the connection is gone.
    if (processID !== null) end(processID).catch(() => undefined);
  };
  const watch = (isCommit: boolean): (() => void) => {
    let isOver = false;
    let timer: NodeJS.Timeout;
    const look = async (): Promise<void> => {
      const goesOn = !isCommit && processID !== null && (await isAtWork(processID).catch(() => false));
      // What was answered while the server was asked stands in the socket already.
      if (!goesOn) await new Promise((resolve) => setImmediate(resolve));
      if (isOver) return;
      if (goesOn) arm();
      else giveUp();
    };
    const arm = (): void => {
      timer = setTimeout(() => void look(), milliseconds);
    };
    arm();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  };
  client.query = ((...args: unknown[]) => {
    if (isStream(args[0])) return query(...args);
    const over = watch(isCommit(args[0]));
    const told = args.at(-1);
    if (typeof told === "function")
      return query(...args.slice(0, -1), (...answer: unknown[]) => {
        over();
        told(...answer);
      });
    return (query(...args) as Promise<unknown>).finally(over);
  }) as typeof client.query;
}

/**
 * Asks the server of a connection string. A session that waits for a lock of somebody's rows or tables is not at work, nor one that waits
 * for a standby, or for words of ours that do not come. A turn that others have first (an advisory lock) is waited for, and a server that
 * has no connection free for the question says nothing against the session.
 */
export async function isSessionAtWork(url: string, processId: number): Promise<boolean> {
  try {
    const { rows } = await ask(
      url,
      `${SESSION} and state = 'active' and wait_event is distinct from 'SyncRep' and wait_event is distinct from 'ClientRead'
         and (wait_event_type is distinct from 'Lock' or wait_event = 'advisory')`,
      processId,
    );
    return rows.length > 0;
  } catch (error) {
    if ((error as { code?: unknown }).code === TOO_MANY_CONNECTIONS) return true;
    throw error;
  }
}

/** Ends a session, and gives back what it has locked. One whose commit waits for a standby is left: nobody sees it before that has it. */
export async function endSession(url: string, processId: number): Promise<void> {
  // Found first, and as a whole: where both stood in one condition the server could end what it looks at and has not compared yet.
  const found = `with found as materialized (${SESSION} and wait_event is distinct from 'SyncRep')`;
  await ask(url, `${found} select pg_terminate_backend(pid) from found`, processId);
}

const SESSION = "select pid from pg_stat_activity where pid = $1 and usename = current_user";

async function ask(url: string, text: string, processId: number): Promise<pg.QueryResult> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "meterkeep-watch",
    connectionTimeoutMillis: ASKING_MILLISECONDS,
    query_timeout: ASKING_MILLISECONDS,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await client.query(text, [processId]);
  } finally {
    // A server that does not answer says no goodbye either, and nobody waits for it.
    client.end().catch(() => undefined);
  }
}

function isStream(asked: unknown): boolean {
  return typeof asked === "object" && asked !== null && "submit" in asked;
}

function isCommit(asked: unknown): boolean {
  return typeof asked === "string" && /^\s*commit\s*;?\s*$/i.test(asked);
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPool, inTransaction } from "./pool.ts";
import { withTestDatabase } from "./testing/test-database.ts";
import { giveUpUnanswered, isSessionAtWork, type WatchedClient } from "./unanswered.ts";

const LOST = { code: "ETIMEDOUT" };

/** A connection that never answers, and what becomes of it. */
function silent() {
  const lost: Error[] = [];
  const ended: number[] = [];
  const client = {
    processID: 7,
    connection: { stream: { destroy: (error: Error) => void lost.push(error) } },
    query: () => new Promise(() => undefined),
  };
  return {
    client: client as unknown as WatchedClient,
    lost,
    ended,
    end: async (processId: number) => void ended.push(processId),
  };
}

/** Lets promises that are settled be heard. */
async function heard(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test("a connection is given up where its server is not at work on what it was asked, or does not say so", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const answers: (() => Promise<boolean>)[] = [
    async () => true,
    async () => true,
    async () => false,
    () => Promise.reject(new Error("it does not answer either")),
  ];
  for (const looks of [3, 1]) {
    const { client, lost, ended, end } = silent();
    giveUpUnanswered(client, { milliseconds: 1_000, isAtWork: () => answers.shift()!(), end });
    void client.query("select 1");
    for (let look = 0; look < looks; look += 1) {
      assert.deepEqual([lost, ended], [[], []]);
      context.mock.timers.tick(1_000);
      await heard();
    }
    assert.equal((lost[0] as { code?: string } | undefined)?.code, "ETIMEDOUT");
    assert.deepEqual(ended, [7]);
  }
});

test("a commit is given up whatever its server says of it, and a stream is waited for", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { client, lost, end } = silent();
  giveUpUnanswered(client, { milliseconds: 1_000, isAtWork: async () => true, end });
  void client.query({ submit: () => undefined } as never);
  context.mock.timers.tick(9_000);
  await heard();
  assert.deepEqual(lost, []);
  void client.query("commit");
  context.mock.timers.tick(1_000);
  await heard();
  assert.equal(lost.length, 1);
});

test("what waits for a lock that nobody gives back fails as a lost connection does, in a transaction as well, and the pool goes on", () =>
  withTestDatabase({}, async ({ url, pool: holding }) => {
    await holding.query("create table entry (a integer)");
    const pool = createPool(url, { applicationName: "unanswered", maxConnections: 2, answerMilliseconds: 50 });
    const holder = await holding.connect();
    try {
      await holder.query("begin");
      await holder.query("lock table entry");
      await assert.rejects(pool.query("insert into entry values (1)"), LOST);
      await assert.rejects(
        inTransaction(pool, (client) => client.query("insert into entry values ($1)", [2])),
        LOST,
      );
      assert.equal(pool.totalCount, 0, "they are used no more");
      // The server hears of it: what waits for the lock would wait for it, and hold what it has locked itself, as long as somebody has it.
      const waiting = "select from pg_stat_activity where application_name = 'unanswered'";
      while ((await holding.query(waiting)).rowCount !== 0);
      await holder.query("commit");
      assert.equal((await holding.query("select from entry")).rowCount, 0, "nothing is done later");
    } finally {
      holder.release(true);
      await pool.end();
    }
  }));

test("a session is at work while its statement runs or its turn has not come, and not while that waits for a lock or for us, is over or was never begun", () =>
  withTestDatabase({}, async ({ url, adminUrl, role, pool }) => {
    await pool.query("create table entry (a integer)");
    const [holder, other] = [await pool.connect(), await pool.connect()];
    const admin = createPool(adminUrl, { applicationName: "admin", maxConnections: 1 });
    try {
      const { rows } = await other.query<{ pid: number }>("select pg_backend_pid() as pid");
      const { pid } = rows[0] as { pid: number };
      const isBlocked = async () => {
        const { rows } = await pool.query<{ waits: boolean }>("select cardinality(pg_blocking_pids($1)) > 0 as waits", [
          pid,
        ]);
        return rows[0]?.waits === true;
      };
      assert.equal(await isSessionAtWork(url, pid), false);
      const sleeping = assert.rejects(other.query("select pg_sleep(600)"), { code: "57014" });
      while (!(await isSessionAtWork(url, pid)));
      await admin.query(`alter role ${role} connection limit 1`);
      assert.equal(
        await isSessionAtWork(url, pid),
        true,
        "nothing is known of it where there is no connection to ask over",
      );
      await admin.query(`alter role ${role} connection limit -1`);
      await admin.query("select pg_cancel_backend($1)", [pid]);
      await sleeping;
      assert.equal(await isSessionAtWork(url, pid), false);
      await holder.query("begin");
      await holder.query("lock table entry");
      const waiting = other.query("insert into entry values (1)");
      while (!(await isBlocked()));
      assert.equal(await isSessionAtWork(url, pid), false);
      await holder.query("rollback");
      await waiting;
      assert.equal(await isSessionAtWork(url, pid), false);
      await holder.query("select pg_advisory_lock(1)");
      const turn = other.query("select pg_advisory_lock(1)");
      while (!(await isBlocked()));
      assert.equal(await isSessionAtWork(url, pid), true);
      await holder.query("select pg_advisory_unlock(1)");
      await turn;
      // The first words of a statement, of which the rest is lost on its way.
      parserOf(other).parse({ text: "select 1" });
      const reads = "select from pg_stat_activity where pid = $1 and state = 'active' and wait_event = 'ClientRead'";
      while ((await admin.query(reads, [pid])).rowCount !== 1);
      assert.equal(await isSessionAtWork(url, pid), false);
    } finally {
      holder.release(true);
      other.release(true);
      await admin.end();
    }
  }));

function parserOf(client: object): { parse(statement: { readonly text: string }): void } {
  return (client as { connection: ReturnType<typeof parserOf> }).connection;
}

import assert from "node:assert/strict";
import { test } from "node:test";
import type { LedgerDraft } from "@meterkeep/ledger";
import { createPool, isPassing } from "@meterkeep/postgres";
import { openTestDatabase } from "@meterkeep/postgres/testing";
import { cutDatabase } from "../testing/cut-database.ts";
import { type Change, GroupCommitter } from "./committer.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "./postgres-store.ts";

const SESSIONS = "select from pg_stat_activity where application_name = 'custodian'";

const change = (kind: string, at = 0): { readonly entries: readonly LedgerDraft[] } => ({
  entries: [{ at, kind, principal: "p", utility: "*", island: "*", body: {} }],
});

/** Asks again, as whoever is told that a connection was lost, until it is there. */
async function committed(committer: GroupCommitter, asked: Change): Promise<void> {
  for (let isThere = false; !isThere; )
    isThere = await committer.submit(asked).then(
      () => true,
      (error: unknown) => {
        assert.ok(isPassing(error) || (error as { code?: unknown }).code === "custody-write-conflict", String(error));
        return false;
      },
    );
}

test("a connection that is lost without a word at any statement of a commit holds up none after it, and nothing is half there", async () => {
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  await using cut = await cutDatabase(database.url);
  const options = { applicationName: "custodian", maxConnections: 2 };
  await using stack = new AsyncDisposableStack();
  const [patient, pool] = [undefined, 200].map((answerMilliseconds) => {
    const made = createPool(cut.through(database.url), {
      ...options,
      ...(answerMilliseconds && { answerMilliseconds }),
    });
    stack.defer(async () => void (made.ended || (await made.end())));
    return made;
  }) as [ReturnType<typeof createPool>, ReturnType<typeof createPool>];
  const counting = new GroupCommitter(postgresCustodyStore(patient));
  await counting.submit(change("first"));
  const begun = cut.passed;
  await counting.submit(change("counted"));
  const statements = cut.passed - begun;
  assert.ok(statements >= 3, `${statements} statements`);
  await patient.end();
  const store = postgresCustodyStore(pool);
  const committer = new GroupCommitter(store);
  await committed(committer, change("begun"));
  for (let at = 0; at < statements; at += 1) {
    // Until a lost session is ended somebody still asks for that, by the same way.
    while ((await database.pool.query(SESSIONS)).rowCount !== pool.totalCount);
    cut.silenceAfter(at);
    await assert.rejects(committer.submit(change("lost", at)), isPassing);
    cut.silenceAfter(Number.POSITIVE_INFINITY);
    await committed(committer, change("after", at));
  }
  const { ledger } = postgresCustodyStore(database.pool);
  const entries = await ledger.read(0, 1_000);
  for (let at = 0; at < statements; at += 1) assert.ok(entries.some((one) => one.kind === "after" && one.at === at));
  assert.deepEqual(await new GroupCommitter({ ...store, ledger }).head(), await committer.head());
  await committer.close();
});

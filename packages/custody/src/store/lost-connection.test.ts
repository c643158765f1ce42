import assert from "node:assert/strict";
import { test } from "node:test";
import type { LedgerDraft } from "@meterkeep/ledger";
import { createPool, isPassing } from "@meterkeep/postgres";
import { openTestDatabase } from "@meterkeep/postgres/testing";
import { cutDatabase } from "../testing/cut-database.ts";
import { GroupCommitter } from "./committer.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "./postgres-store.ts";

const change = (kind: string, at = 0): { readonly entries: readonly LedgerDraft[] } => ({
  entries: [{ at, kind, principal: "p", utility: "*", island: "*", body: {} }],
});

test("a connection that is lost without a word at any statement of a commit holds up none after it, and nothing is half there", async () => {
  await using database = await openTestDatabase({ migrations: CUSTODY_MIGRATIONS });
  await using cut = await cutDatabase(database.url);
  const options = { applicationName: "custodian", maxConnections: 2, answerMilliseconds: 200 };
  const pool = createPool(cut.through(database.url), options);
  await using _ = { [Symbol.asyncDispose]: () => pool.end() };
  const store = postgresCustodyStore(pool);
  const committer = new GroupCommitter(store);
  await committer.submit(change("first"));
  const begun = cut.passed;
  await committer.submit(change("counted"));
  const statements = cut.passed - begun;
  assert.ok(statements >= 3, `${statements} statements`);
  for (let at = 0; at < statements; at += 1) {
    cut.silenceAfter(at);
    await assert.rejects(committer.submit(change("lost", at)), isPassing);
    // Whoever is told that it was lost asks again, until it is there.
    for (let isThere = false; !isThere; )
      isThere = await committer.submit(change("after", at)).then(
        () => true,
        (error: unknown) => {
          assert.ok(isPassing(error) || (error as { code?: unknown }).code === "custody-write-conflict", String(error));
          return false;
        },
      );
  }
  const entries = await store.ledger.read(0, 1_000);
  for (let at = 0; at < statements; at += 1) assert.ok(entries.some((one) => one.kind === "after" && one.at === at));
  assert.deepEqual(await new GroupCommitter(store).head(), await committer.head());
  await committer.close();
});

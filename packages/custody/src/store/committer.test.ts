import assert from "node:assert/strict";
import { test } from "node:test";
import type { LedgerDraft } from "@meterkeep/ledger";
import { GroupCommitter } from "./committer.ts";
import { memoryCustodyStore } from "./memory-store.ts";

const entry = (kind: string): LedgerDraft => ({ at: 1, kind, principal: "p", utility: "*", island: "*", body: {} });

test("what waits while something foreign is found is refused: it may have been decided by that", async () => {
  const store = memoryCustodyStore();
  const [begun, away] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const found: LedgerDraft[] = [];
  let isAway = true;
  const committer = new GroupCommitter(
    {
      ledger: store.ledger,
      commit: async (writes, growth) => {
        if (!isAway) return store.commit(writes, growth);
        isAway = false;
        begun.resolve();
        await away.promise;
        throw new Error("the database is away");
      },
    },
    { examine: async () => found.splice(0) },
  );
  const first = assert.rejects(committer.submit({ entries: [entry("first")] }), /is away/);
  await begun.promise;
  const waiting = assert.rejects(committer.submit({ entries: [entry("waiting")] }), { code: "ledger-forked" });
  found.push(entry("ledger-foreign-entries"));
  away.resolve();
  await Promise.all([first, waiting]);
  await committer.submit({ entries: [entry("asked-again")] });
  const kinds = (await store.ledger.read(0, 9)).map(({ kind }) => kind);
  assert.deepEqual(kinds, ["ledger-foreign-entries", "asked-again"]);
  await committer.close();
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { chain, EMPTY_LEDGER, type LedgerDraft } from "../entry.ts";
import { LedgerError } from "../errors.ts";
import { allEntries, type LedgerStore } from "../store.ts";
import { verifyChain } from "../verify.ts";

/** A draft for tests. */
export function draft(kind: string, body: unknown = {}, meter?: string): LedgerDraft {
  return {
    at: 1_795_000_000_000,
    kind,
    principal: "head-end",
    utility: "u",
    island: "i",
    ...(meter && { meter }),
    body,
  };
}

/** What every adapter of `LedgerStore` keeps to. */
export function ledgerStoreContract(
  name: string,
  withStore: (body: (store: LedgerStore) => Promise<void>) => Promise<void>,
) {
  test(`${name}: an empty ledger has the empty head`, () =>
    withStore(async (store) => {
      assert.deepEqual(await store.head(), EMPTY_LEDGER);
      assert.deepEqual(await store.read(0, 10), []);
    }));

  test(`${name}: entries come back as they were hashed, in pages`, () =>
    withStore(async (store) => {
      const drafts = [draft("a", { text: "ü" }), draft("b", null, "4D4B560000000001"), draft("c", [1.5])];
      const entries = chain(EMPTY_LEDGER, drafts);
      await store.append(entries.slice(0, 2));
      await store.append(entries.slice(2));
      assert.deepEqual(await store.read(0, 10), entries);
      assert.deepEqual(await store.read(1, 1), entries.slice(1, 2));
      assert.deepEqual((await store.head()).hash, entries[2]?.hash);
      const report = await verifyChain(allEntries(store, 0, 2), { expectedHead: await store.head() });
      assert.deepEqual([report.verified, report.fault], [3, undefined]);
    }));

  test(`${name}: an entry that is not the next one is refused and nothing is written`, () =>
    withStore(async (store) => {
      const entries = chain(EMPTY_LEDGER, [draft("a"), draft("b")]);
      const forked = (error: unknown) => error instanceof LedgerError && error.code === "ledger-forked";
      await assert.rejects(store.append(entries.slice(1)), forked);
      await store.append(entries.slice(0, 1));
      await assert.rejects(store.append(entries.slice(0, 1)), forked);
      assert.equal((await store.head()).sequence, 1);
    }));
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { auditStored } from "../audit.ts";
import type { LedgerDraft } from "../entry.ts";
import { LedgerError } from "../errors.ts";
import { EMPTY_EDGE, growthOf } from "../growth.ts";
import { allEntries, countingReads, edgeOf, grownFrom, type LedgerStore, newestEntry } from "../store.ts";
import { derivedNodes } from "../tree/derived-nodes.ts";
import { rootOf } from "../tree/frontier.ts";
import { inclusionProof } from "../tree/proofs.ts";
import { frontierAt, readerOf, rootAt } from "../tree/stored-nodes.ts";
import { includes } from "../tree/verify-proofs.ts";

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
  test(`${name}: an empty ledger ends where all begin`, () =>
    withStore(async (store) => {
      assert.deepEqual(await edgeOf(store), EMPTY_EDGE);
      assert.deepEqual(await store.read(0, 10), []);
    }));

  test(`${name}: entries come back as they were hashed, in pages`, () =>
    withStore(async (store) => {
      const drafts = [draft("a", { text: 'ü"\\\n\u2028' }), draft("b", null, "4D4B560000000001"), draft("c", [1.5])];
      const first = growthOf(EMPTY_EDGE, drafts.slice(0, 2));
      const second = growthOf(first.to, drafts.slice(2));
      for (const growth of [first, second]) await store.append(growth);
      const entries = [...first.entries, ...second.entries];
      assert.deepEqual(await store.read(0, 10), entries);
      assert.deepEqual(await store.read(1, 1), entries.slice(1, 2));
      assert.deepEqual(await store.ofKinds(["c", "a"]), [entries[0], entries[2]]);
      assert.deepEqual(await store.ofMeters(["4D4B560000000001", "4D4B560000000002"], ["a", "b", "c"]), [entries[1]]);
      assert.deepEqual(await store.ofMeters(["4D4B560000000001"], ["a"]), []);
      assert.deepEqual(await store.lastOf(["a", "b"], "head-end", "u"), entries[1]);
      for (const [principal, utility] of [
        ["head-end", "v"],
        ["operator", "u"],
      ] as const)
        assert.equal(await store.lastOf(["a", "b"], principal, utility), undefined);
      assert.deepEqual(await edgeOf(store), second.to);
      const read: unknown[] = [];
      for await (const entry of allEntries(store, 0, 2)) read.push(entry);
      assert.deepEqual(read, entries);
    }));

  test(`${name}: what is foreign is read page by page and in proofs, and by nobody who asks for kinds`, () =>
    withStore(async (store) => {
      const kinds = ["ledger-a", "b", "ledger-a", "b", "b"];
      const growth = growthOf(
        EMPTY_EDGE,
        kinds.map((kind) => draft(kind, {}, "4D4B560000000001")),
      );
      await store.append(growth);
      for (const range of [
        { from: 3, to: 3 },
        { from: 5, to: 9 },
      ])
        store.foreign.add({ ...range, fault: "appended" });
      const sequences = (entries: readonly { readonly sequence: number }[]) => entries.map(({ sequence }) => sequence);
      assert.deepEqual(sequences(await store.ofItself()), [1]);
      assert.deepEqual(sequences(await store.ofKinds(["b", "ledger-a"])), [1, 2, 4]);
      assert.deepEqual(sequences(await store.ofMeters(["4D4B560000000001"], ["b"])), [2, 4]);
      assert.equal((await store.lastOf(["b"], "head-end", "u"))?.sequence, 4);
      assert.deepEqual(sequences(await store.read(0, 9)), [1, 2, 3, 4, 5]);
      assert.equal(await store.size(), 5);
      const { read, size } = countingReads(store);
      assert.equal(await size(), 4);
      assert.deepEqual(
        sequences(await read(1, 2)),
        [2, 4],
        "a page in which something is foreign is full all the same",
      );
      assert.deepEqual(sequences(await read(2, 1)), [4]);
      assert.deepEqual(await read(4, 1), []);
    }));

  test(`${name}: it ends with its writer's last entry though that was changed, and the newest that counts stands before it`, () =>
    withStore(async (store) => {
      await store.append(
        growthOf(
          EMPTY_EDGE,
          ["a", "b", "c", "d", "e"].map((kind) => draft(kind)),
        ),
      );
      const reads = countingReads(store);
      assert.equal((await newestEntry(reads))?.sequence, 5);
      store.foreign.add({ from: 5, to: 5, fault: "appended" });
      store.foreign.add({ from: 3, to: 4, fault: "altered" });
      assert.equal(await reads.size(), 4);
      assert.equal((await newestEntry(reads))?.sequence, 2);
      store.foreign.add({ from: 1, to: 2, fault: "replaced" });
      assert.equal(await newestEntry(reads), undefined);
    }));

  test(`${name}: the end of a commit is found again with what binds it`, () =>
    withStore(async (store) => {
      const mac = (fill: number) => new Uint8Array(32).fill(fill);
      const first = { ...growthOf(EMPTY_EDGE, [draft("a"), draft("b")]), macs: { entries: [], end: mac(1) } };
      const second = growthOf(first.to, [draft("c")]);
      const third = { ...growthOf(second.to, [draft("d")]), macs: { entries: [], end: mac(2) } };
      for (const growth of [first, second, third]) await store.append(growth);
      assert.deepEqual(await store.ends(4, 9), [
        { size: 4, mac: mac(2) },
        { size: 2, mac: mac(1) },
      ]);
      assert.deepEqual(await store.ends(3, 1), [{ size: 2, mac: mac(1) }]);
    }));

  test(`${name}: an entry that is not the next one is refused and nothing is written`, () =>
    withStore(async (store) => {
      const first = growthOf(EMPTY_EDGE, [draft("a")]);
      const second = growthOf(first.to, [draft("b")]);
      const forked = (error: unknown) => error instanceof LedgerError && error.code === "ledger-forked";
      await assert.rejects(store.append(second), forked);
      await store.append(first);
      await assert.rejects(store.append(first), forked);
      assert.equal(await store.size(), 1);
    }));

  test(`${name}: the tree is found again from its stored levels, and every proof is made of them`, () =>
    withStore(async (store) => {
      let edge = EMPTY_EDGE;
      for (const count of [1, 254, 1, 1, 300, 40]) {
        const growth = growthOf(
          edge,
          Array.from({ length: count }, (_, at) => draft("entry", at)),
        );
        await store.append(growth);
        edge = growth.to;
        assert.deepEqual(await edgeOf(store), edge);
      }
      const { size } = edge.frontier;
      const root = rootOf(edge.frontier);
      assert.deepEqual(await auditStored(store), { head: { size, root }, fault: undefined });
      for (const index of [0, 255, 256, 511, 512, size - 1]) {
        const proof = await inclusionProof(readerOf(store), index, size);
        const [leaf] = await store.nodes(0, index, 1);
        assert.ok(includes({ size, root }, index, leaf as Uint8Array, proof), String(index));
      }
    }));

  test(`${name}: stored nodes are what the entries come to, whatever was stored in their place`, () =>
    withStore(async (store) => {
      let edge = EMPTY_EDGE;
      for (const count of [255, 2, 300, 60]) {
        const next = Math.floor((edge.frontier.size + count) / 256);
        await store.putNodes([{ level: 8, index: next, hash: new Uint8Array(32) }]);
        const growth = growthOf(
          edge,
          Array.from({ length: count }, (_, at) => draft("entry", at)),
        );
        await store.append(growth);
        edge = growth.to;
        assert.deepEqual(await edgeOf(store), edge);
      }
      const { size } = edge.frontier;
      const stored = await store.nodes(8, 0, 2);
      assert.deepEqual((await derivedNodes(store, size, "stored")).others, []);
      for (const source of ["stored", "judged"] as const) {
        await store.putNodes([{ level: 8, index: 1, hash: new Uint8Array(32) }]);
        const derived = await derivedNodes(store, size, source);
        assert.deepEqual(derived.others, [{ level: 8, index: 1, hash: stored[1] }]);
        assert.deepEqual(await rootAt(derived, size), rootOf(edge.frontier));
        assert.deepEqual(await rootAt(derived, 300), rootOf(await frontierAt(readerOf(derived), 300)));
        await store.putNodes(derived.others);
        assert.deepEqual(await edgeOf(store), edge);
      }
      // From where it is known, by leaves alone.
      const [lastLeaf] = await store.nodes(0, 250, 1);
      const known = { frontier: await frontierAt(readerOf(store), 251), lastLeaf };
      await store.putNodes([{ level: 8, index: 0, hash: new Uint8Array(32) }]);
      assert.deepEqual(await grownFrom(store, known), edge);
      assert.deepEqual(await store.nodes(8, 0, 2), stored);
    }));

  test(`${name}: what entries call themselves is read without them, in the order in which they stand`, () =>
    withStore(async (store) => {
      await store.append(
        growthOf(
          EMPTY_EDGE,
          ["b", "a", "b", "c"].map((kind) => draft(kind)),
        ),
      );
      assert.deepEqual(await store.kinds({ from: 1, to: 4 }, 9), ["b", "a", "c"]);
      assert.deepEqual(await store.kinds({ from: 2, to: 4 }, 2), ["a", "b"]);
      assert.deepEqual(
        (await store.scattered(1, 2)).map(({ sequence }) => sequence),
        [2, 3],
      );
    }));
}

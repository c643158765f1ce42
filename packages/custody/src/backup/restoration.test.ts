import assert from "node:assert/strict";
import { test } from "node:test";
import { countersSince, DEFAULT_USE, RESTORED } from "../ledger/skipped-counters.ts";
import { GroupCommitter } from "../store/committer.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import type { Restoration } from "../store/store.ts";
import { acknowledgeRestorations } from "./restoration.ts";

const HOUR = 3_600_000;
const NOW = 100_000 * HOUR;

/** What a start says of rows, in a ledger whose entries are of so many hours ago. */
async function saidOf(rows: readonly Restoration[], entries: readonly (readonly [kind: string, hoursAgo: number])[]) {
  const store = memoryCustodyStore();
  const committer = new GroupCommitter(store);
  for (const [kind, hoursAgo] of entries)
    await committer.submit({
      entries: [{ at: NOW - hoursAgo * HOUR, kind, principal: "custodian", utility: "*", island: "*", body: {} }],
    });
  await acknowledgeRestorations({
    store: { ...store, restorations: { list: async () => rows } },
    files: store,
    committer,
    vault: {} as never,
    escrow: { read: async function* () {} },
    use: DEFAULT_USE,
    now: () => NOW,
  });
  return (await store.ledger.ofKinds([RESTORED])).map(({ body }) => JSON.parse(body) as { counters: number });
}

const counters = (hours: number) => countersSince(hours * HOUR, DEFAULT_USE);
const row = (knownUntil: number): Restoration => ({ backup: "b", restoredAt: knownUntil + 1, knownUntil });

test("a line leaves out what it may have used since its custodian served last, however old the row says the database is", async () => {
  const served = [
    ["custodian-started", 900],
    ["counters-reserved", 30],
    ["key-states-changed", 20],
  ] as const;
  for (const [knownUntil, hours] of [
    [0, 30],
    [NOW - 31 * HOUR, 30],
    [NOW - 2 * HOUR, 2],
  ] as const) {
    const [said, ...others] = await saidOf([row(knownUntil)], served);
    assert.deepEqual([said?.counters, others], [counters(hours), []]);
  }
  assert.deepEqual(
    (await saidOf([row(0), row(5)], served)).map((said) => said.counters),
    [counters(30), 0],
    "two rows are one loss",
  );
});

test("what starts have written that were killed before they could say so is no sign that anything is known since", async () => {
  const killed = ["ledger-resumed", "ledger-foreign-entries", "clock-doubted", "authority-recorded", "escrow-adopted"];
  const entries = [
    ["custodian-started", 900],
    ["counters-reserved", 30],
    ["session-closed", 29],
    ...killed.map((kind) => [kind, 1] as const),
  ] as const;
  assert.equal((await saidOf([row(NOW - 40 * HOUR)], entries))[0]?.counters, counters(30));
});

test("where nothing shows that it ever served, the row is believed", async () => {
  assert.equal((await saidOf([row(NOW - 40 * HOUR)], [["vault-founded", 1]]))[0]?.counters, counters(40));
});

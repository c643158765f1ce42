import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_EDGE, growthOf, type LedgerEntry } from "@meterkeep/ledger";
import { FIRST_COUNTER, LARGEST_BLOCK, SendCounters } from "../protocol/send-counters.ts";
import { skippedAfterLoss } from "./open-keeper.ts";

const place = { utility: "u", island: "i", systemTitle: "5453540000000007", setup: 0 };
const resumed = (lost: number) => ({
  at: 1,
  kind: "ledger-resumed",
  principal: "ledger",
  utility: "*",
  island: "*",
  body: { lost },
});

/** The first counter of a line that stands at 320, its last mark at a sequence of a ledger. */
async function firstCounter(entries: readonly LedgerEntry[], markedAt: number | undefined): Promise<number> {
  const counters = new SendCounters({
    committer: { submit: async () => undefined },
    files: {
      counterLine: async () => ({
        counters: [{ ...place, keyVersion: 1, next: FIRST_COUNTER + 64, mac: new Uint8Array(32) }],
        mark: undefined,
        markedAt,
      }),
    },
    vault: { authenticate: async (texts) => texts.map(() => new Uint8Array(32)) },
    now: () => 1,
    skip: skippedAfterLoss({ ofItself: async () => [...entries] }),
  });
  return counters.take(place, 1, 1);
}

test("a line leaves out what lost entries could have reserved, until it has been marked after the loss", async () => {
  const { entries } = growthOf(EMPTY_EDGE, [resumed(3), resumed(2)]);
  assert.equal(await firstCounter([], 9), FIRST_COUNTER + 64);
  assert.equal(await firstCounter(entries, undefined), FIRST_COUNTER + 64 + 5 * LARGEST_BLOCK);
  assert.equal(await firstCounter(entries, 1), FIRST_COUNTER + 64 + 2 * LARGEST_BLOCK);
  assert.equal(await firstCounter(entries, 2), FIRST_COUNTER + 64);
});

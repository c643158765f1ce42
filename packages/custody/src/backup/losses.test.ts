import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_EDGE, type EntryFault, ForeignEntries, growthOf } from "@meterkeep/ledger";
import { installationEntry } from "../ledger/installation-entry.ts";
import { lossesByFindings } from "./losses.ts";

test("what may have been said by entries that nobody knows any more is a loss, and what was written by others or is as it was is none", async () => {
  const drafts = Array.from({ length: 40 }, (_, at) => installationEntry(100 + at, "seen", "p", {}));
  const { entries } = growthOf(EMPTY_EDGE, drafts);
  const foreign = new ForeignEntries();
  const faults: readonly EntryFault[] = ["altered", "missing", "replaced", "hidden", "rehashed", "appended", "beyond"];
  for (const [at, fault] of faults.entries()) foreign.tell({ from: 10 + 3 * at, to: 11 + 3 * at, fault });
  const losses = await lossesByFindings({
    foreign,
    ofItself: async () => [],
    read: async (after, limit) => entries.slice(after, after + limit),
  });
  assert.deepEqual(
    losses.map(({ name, since }) => [name, since]),
    [
      ["entries 10 to 11 altered", 108],
      ["entries 13 to 14 missing", 111],
      ["entries 16 to 17 replaced", 114],
      ["entries 19 to 20 hidden", 117],
    ],
  );
});

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { changesIn, openFileFeed } from "./change-feed.ts";

test("a link that the owner of its storage put in the place of a feed's segment is neither written to nor read, and the feed has a gap", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-feed-"));
  try {
    const other = join(folder, "other");
    writeFileSync(other, "what must stay");
    symlinkSync(other, join(folder, "changes-000000000007.feed"));
    const failures: unknown[] = [];
    const feed = await openFileFeed(folder, (error) => failures.push(error));
    await feed.note({ kind: "change" });
    assert.match(feed.problem ?? "", /is a link/);
    await assert.rejects(changesIn(folder).next(), /is a link/);
    // A backup begins another segment, in which there is nothing that was missing.
    await feed.begin(8);
    assert.equal(feed.problem, undefined);
    await feed.close();
    assert.equal(readFileSync(other, "utf8"), "what must stay");
    assert.equal(failures.length, 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { constants, mkdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { CUSTODY_MIGRATIONS } from "../store/postgres-store.ts";
import { backupWorld } from "../testing/backup-world.ts";

const HOUR_MILLISECONDS = 3_600_000;

test("a feed that takes an hour to be done again is the end of no restore: its last word is written over the connection there was", async (context) => {
  const world = backupWorld();
  try {
    const file = await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async (database) => {
      const site = await world.siteOn(database);
      try {
        return (await world.makeBackup(site)).file;
      } finally {
        await site.stop();
      }
    });
    // A feed that the test writes: while it does not, nobody asks the database for anything.
    const feed = join(world.folder, "slow-feed");
    mkdirSync(feed);
    const segment = join(feed, `changes-${"0".repeat(12)}.feed`);
    execFileSync("mkfifo", [segment]);
    const target = await world.emptyDatabase();
    try {
      context.mock.timers.enable({ apis: ["setTimeout"] });
      const restoring = world.restoreInto(target, file, feed);
      const writer = await Promise.race([
        open(segment, "w"),
        restoring.then(() => assert.fail("nobody read the feed")),
      ]);
      context.mock.timers.tick(HOUR_MILLISECONDS);
      await writer.close();
      const { replayed } = await restoring;
      assert.deepEqual([replayed?.changes, replayed?.broken], [0, undefined]);
    } finally {
      context.mock.timers.reset();
      // Where nobody came to read it the writer would wait for ever.
      await (await open(segment, constants.O_RDONLY | constants.O_NONBLOCK)).close();
      await target.drop();
    }
  } finally {
    world.dispose();
  }
});

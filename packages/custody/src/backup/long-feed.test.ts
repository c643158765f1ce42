import assert from "node:assert/strict";
import { mkdirSync, readlinkSync, realpathSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
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
    // A feed that says nothing until the test ends it: until then nobody asks the database for anything.
    const feed = join(world.folder, "slow-feed");
    mkdirSync(feed);
    const segment = join(feed, `changes-${"0".repeat(12)}.feed`);
    writeFileSync(segment, "");
    const content = new PassThrough();
    const asked = Promise.withResolvers<void>();
    const probe = await open(segment);
    const handles = Object.getPrototypeOf(probe) as typeof probe;
    const { createReadStream } = handles;
    context.mock.method(
      handles,
      "createReadStream",
      function (this: typeof probe, options?: Parameters<typeof createReadStream>[0]) {
        if (readlinkSync(`/proc/self/fd/${this.fd}`) !== realpathSync(segment))
          return createReadStream.call(this, options);
        asked.resolve();
        return content;
      },
    );
    await probe.close();
    const target = await world.emptyDatabase();
    try {
      context.mock.timers.enable({ apis: ["setTimeout"] });
      const restoring = world.restoreInto(target, file, feed);
      await Promise.race([asked.promise, restoring.then(() => assert.fail("nobody read the feed"))]);
      context.mock.timers.tick(HOUR_MILLISECONDS);
      content.end();
      const { replayed } = await restoring;
      assert.deepEqual([replayed?.changes, replayed?.broken], [0, undefined]);
    } finally {
      context.mock.reset();
      await target.drop();
    }
  } finally {
    world.dispose();
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { consignment } from "../testing/carrier-contract.ts";
import { openHeadEndDatabase } from "../testing/database.ts";
import { startNatsServer } from "../testing/nats-server.ts";
import { Inbox } from "./inbox.ts";
import { gatherNats, openNats } from "./nats.ts";

const MANY = 10_000_000;

test("islands tell their leaf nodes while the hub is dead, and the hub hears each announcement once when it lives again", async () => {
  await using database = await openHeadEndDatabase(1);
  const inbox = new Inbox(database.pool, database.scope);
  await using hub = await startNatsServer("hub");
  await using north = await startNatsServer("north", hub.leafUrl);
  await using south = await startNatsServer("south", hub.leafUrl);
  await gatherNats({ url: hub.url }, ["north", "south"]);
  const islands = [
    { origin: "utility/north/0000000a", server: north },
    { origin: "utility/south/0000000b", server: south },
  ] as const;
  const counts = new Map<string, number>();
  const tell = async (times: number): Promise<void> => {
    for (const { origin, server } of islands) {
      await using line = await openNats({ url: server.url }, origin);
      for (let n = 0; n < times; n += 1) {
        const from = counts.get(origin) ?? 0;
        await line.carry(consignment(origin, from + 1, from + 10));
        // Nobody knows that it arrived: it is handed over again.
        if (n % 7 === 0) await line.carry(consignment(origin, from + 1, from + 10));
        counts.set(origin, from + 10);
      }
    }
  };
  const arrived = async (): Promise<boolean> => {
    const heads = await inbox.heads();
    return islands.every(({ origin }) => heads.find((head) => head.origin === origin)?.last === counts.get(origin));
  };
  /** Hears until all has come; a hub that is dying breaks it off, and it begins again. */
  const hearAll = async (): Promise<void> => {
    const done = new AbortController();
    await using line = await openNats({ url: hub.url }, "utility/hub/0000000c");
    if (await arrived()) return;
    await line.hear(async (one) => {
      await inbox.take(one);
      if (await arrived()) done.abort();
    }, done.signal);
  };
  await tell(20);
  await hearAll();
  await hub.kill();
  await tell(40);
  await hub.start();
  await hearAll();
  for (const { origin } of islands) {
    const numbers = (await inbox.after(origin, 0, 10_000, MANY)).map(({ sequence }) => sequence);
    assert.deepEqual(
      numbers,
      Array.from({ length: 600 }, (_, n) => n + 1),
    );
  }
  assert.deepEqual(
    (await inbox.heads()).map(({ missing }) => missing),
    [0, 0],
  );
});

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Meter } from "../inventory/meter.ts";
import { type HeadEndDatabase, openHeadEndDatabase } from "../testing/database.ts";
import { Moves } from "./moves.ts";
import { parseRoute, routeText } from "./route.ts";

let database: HeadEndDatabase;
before(async () => {
  database = await openHeadEndDatabase(4);
});
after(() => database[Symbol.asyncDispose]());

const WRITTEN = "tcp://10.0.0.1:4059?moves=yes";

async function place(n: number, route = WRITTEN): Promise<void> {
  const { title: systemTitle } = database.meters[n]!;
  await database.inventory.setAddresses("simulated", [{ systemTitle, wan: parseRoute(route) }]);
}

const meter = async (n: number): Promise<Meter> => database.inventory.get(database.meters[n]!.title);
const reached = async (n: number): Promise<string> => routeText((await meter(n)).route!);

test("a meter that announces itself elsewhere is tried there, and has moved when it was proven there, not before", async () => {
  await place(0);
  const moves = new Moves(database.pool, database.scope, () => 0);
  assert.equal(await moves.announced(await meter(0), "10.0.0.1"), false, "it is where it was");
  assert.equal(await moves.announced(await meter(0), "::ffff:10.0.0.2"), true);
  const tried = await meter(0);
  assert.equal(routeText(tried.route!), "tcp://10.0.0.2:4059?moves=yes");
  assert.deepEqual(tried.moving, {
    writtenHost: "10.0.0.1",
    provenHost: "10.0.0.1",
    announcedHost: "10.0.0.2",
  });
  await moves.tried(tried, true);
  assert.equal((await meter(0)).moving?.announcedHost, undefined);
  assert.equal(await reached(0), "tcp://10.0.0.2:4059?moves=yes");
  // And back to where it was written down.
  assert.equal(await moves.announced(await meter(0), "10.0.0.1"), true);
  await moves.tried(await meter(0), true);
  assert.equal(await reached(0), WRITTEN);
});

test("where a session proves nothing the meter stays where it was, and the same place is not tried again at once", async () => {
  await place(1);
  let now = 0;
  const moves = new Moves(database.pool, database.scope, () => now);
  assert.equal(await moves.announced(await meter(1), "10.9.9.9"), true);
  await moves.tried(await meter(1), false);
  assert.equal(await reached(1), WRITTEN);
  assert.equal(await moves.announced(await meter(1), "10.9.9.9"), false);
  now += 60_000;
  assert.equal(await moves.announced(await meter(1), "10.9.9.9"), true);
});

test("a result that comes late moves nobody: the meter has announced another place meanwhile", async () => {
  await place(2);
  const moves = new Moves(database.pool, database.scope, () => 0);
  await moves.announced(await meter(2), "10.0.0.2");
  const late = await meter(2);
  await moves.announced(await meter(2), "10.0.0.3");
  await moves.tried(late, true);
  assert.deepEqual((await meter(2)).moving, {
    writtenHost: "10.0.0.1",
    provenHost: "10.0.0.1",
    announcedHost: "10.0.0.3",
  });
});

test("a meter whose address does not change is tried nowhere else, and what is written anew counts", async () => {
  await place(3, "tcp://10.0.0.1:4059");
  const moves = new Moves(database.pool, database.scope, () => 0);
  assert.equal(await moves.announced(await meter(3), "10.0.0.2"), false);
  await place(3);
  assert.equal(await moves.announced(await meter(3), "10.0.0.2"), true);
  await moves.tried(await meter(3), true);
  await place(3);
  assert.equal(await reached(3), "tcp://10.0.0.2:4059?moves=yes", "the same file again changes nothing");
  await place(3, "tcp://10.1.0.1:4059?moves=yes");
  assert.equal(await reached(3), "tcp://10.1.0.1:4059?moves=yes");
});

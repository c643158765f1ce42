import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Ledger, memoryLedgerStore } from "@meterkeep/ledger";
import { EventHub } from "../event/event-hub.ts";
import { MeterDirectory } from "../inventory/directory.ts";
import { PushSources } from "../push/push-sources.ts";
import { type HeadEndDatabase, openHeadEndDatabase } from "../testing/database.ts";
import { DestinationWatch, destinationIncidents } from "./destination-watch.ts";

let database: HeadEndDatabase;
before(async () => {
  database = await openHeadEndDatabase(13);
});
after(() => database[Symbol.asyncDispose]());

function bench() {
  const { pool, scope, inventory } = database;
  const clock = { now: Date.parse("2026-11-21T12:00:00Z") };
  const events = new EventHub({ run: "t", keptEvents: 50, keptLines: 50, now: () => new Date(clock.now) });
  const entries: { readonly kind: string }[] = [];
  const ledger = new Ledger(memoryLedgerStore());
  const watch = new DestinationWatch({
    sql: pool,
    scope,
    ledger: {
      append: (...drafts) => {
        entries.push(...drafts);
        return ledger.append(...drafts);
      },
    },
    events,
    destinations: () => ["192.0.2.1:4059", "push.utility.example:4059"],
    now: () => clock.now,
  });
  const sources = new PushSources(pool, scope, new MeterDirectory(inventory));
  const kinds = async (n: number) =>
    (await destinationIncidents(pool, scope, database.meters[n]!.id)).map(({ kind, count }) => [kind, count]);
  return { watch, clock, events, entries, sources, kinds };
}

test("a push set-up that points to us is none, one that points elsewhere is told once an hour, in all three places", async () => {
  const { watch, clock, events, entries, kinds } = bench();
  const meter = database.meters[0]!;
  await watch.pushSetUp(meter, "0-0:25.9.0", "push.utility.example:4059");
  await watch.pushSetUp(meter, "0-4:25.9.0", "");
  assert.deepEqual(await kinds(0), []);
  for (let n = 0; n < 3; n += 1) await watch.pushSetUp(meter, "0-0:25.9.0", "198.51.100.7:4059");
  assert.deepEqual(await kinds(0), [["points-elsewhere", 3]]);
  assert.deepEqual(
    entries.map(({ kind }) => kind),
    ["destination-incident"],
  );
  assert.deepEqual(
    events.recent(9).map(({ severity, meter: of }) => [severity, of]),
    [["warning", meter.title]],
  );
  clock.now += 3_700_000;
  await watch.pushSetUp(meter, "0-0:25.9.0", "198.51.100.7:4059");
  assert.equal(entries.length, 2);
});

test("a destination that no database takes as it is is told all the same, readable", async () => {
  const { watch, entries } = bench();
  const meter = database.meters[12]!;
  for (let n = 0; n < 2; n += 1) await watch.pushSetUp(meter, "0-0:25.9.0", "198.51.100.8:4059\u0000\u009b");
  const told = await destinationIncidents(database.pool, database.scope, meter.id);
  assert.deepEqual(
    told.map(({ kind, place, count }) => [kind, place, count]),
    [["points-elsewhere", "198.51.100.8:4059??", 2]],
  );
  assert.equal(entries.length, 1);
  // What is ours is so by its very octets.
  await watch.pushSetUp(meter, "0-0:25.9.0", "192.0.2.1:4059\u0000");
  assert.equal(entries.length, 2);
});

test("what is refused is somebody else's where the meter was never heard, and the line's fault where it was", async () => {
  const { watch, sources, kinds } = bench();
  const meter = database.meters[1]!;
  await sources.count([
    {
      meter: meter.id,
      address: "10.0.0.1",
      transport: "tcp",
      accepted: true,
      protection: "authenticated",
      at: new Date(),
    },
    {
      meter: meter.id,
      address: "10.0.0.2",
      transport: "tcp",
      accepted: true,
      protection: "confidential",
      at: new Date(),
    },
  ]);
  await watch.refused(meter, "10.0.0.1", "not-authentic");
  assert.deepEqual(await kinds(1), []);
  await watch.refused(meter, "10.0.0.2", "not-authentic");
  assert.deepEqual(await kinds(1), [["foreign-traffic", 1]]);
});

test("a meter that moves is no incident, however often; one that goes to and fro is", async () => {
  const { watch, clock, kinds } = bench();
  const [mover, pair, slow] = database.meters.slice(2);
  for (let n = 0; n < 50; n += 1) await watch.authenticated([{ meter: mover!, address: `10.0.1.${n}` }]);
  await watch.refused(mover!, "10.0.1.49", "replayed");
  assert.deepEqual(await kinds(2), []);
  for (const address of ["a", "b", "a", "b"]) await watch.authenticated([{ meter: pair!, address }]);
  assert.deepEqual(await kinds(3), []);
  await watch.authenticated([{ meter: pair!, address: "a" }]);
  assert.deepEqual(await kinds(3), [["two-places", 1]]);
  for (const address of ["a", "b", "a", "b", "a", "b"]) {
    await watch.authenticated([{ meter: slow!, address }]);
    clock.now += 3_700_000;
  }
  assert.deepEqual(await kinds(4), []);
});

test("what a concentrator brings and is refused is told, even where the meter has been heard over it", async () => {
  const { watch, entries, kinds } = bench();
  const meter = database.meters[7]!;
  const way = "concentrator://dc-1/0/4D4B560000000007";
  await watch.authenticated([{ meter, address: way }]);
  await watch.refused(meter, way, "replayed");
  await watch.refused(meter, way, "not-authentic");
  assert.deepEqual(await kinds(7), [["false-delivery", 2]]);
  assert.equal(entries.length, 1);
});

test("whoever takes a meter's place once and stays is seen by what the meter still sends from where it was, after a restart too", async () => {
  const meter = database.meters[8]!;
  const { watch, clock, kinds } = bench();
  await watch.authenticated([{ meter, address: "10.0.3.1" }]);
  await watch.authenticated([{ meter, address: "10.0.3.99" }]);
  // What was on its way when it moved comes after it, and is older than what came since.
  clock.now += 30_000;
  await watch.refused(meter, "10.0.3.1", "replayed");
  assert.deepEqual(await kinds(8), []);
  const restarted = bench();
  restarted.clock.now = clock.now + 7_200_000;
  await restarted.watch.refused(meter, "10.0.3.1", "replayed");
  assert.deepEqual(await kinds(8), [["two-places", 1]]);
  assert.match(
    (await destinationIncidents(database.pool, database.scope, meter.id))[0]!.sentence,
    /proves itself from 10\.0\.3\.99, and 10\.0\.3\.1, which it has left, still sends/,
  );
});

test("going to and fro is counted over a restart", async () => {
  const meter = database.meters[9]!;
  for (const address of ["a", "b", "a", "b"]) await bench().watch.authenticated([{ meter, address }]);
  const { watch, kinds } = bench();
  assert.deepEqual(await kinds(9), []);
  await watch.authenticated([{ meter, address: "a" }]);
  assert.deepEqual(await kinds(9), [["two-places", 1]]);
});

test("a meter that is read at a fixed address of its own is an incident when it proves itself from elsewhere once", async () => {
  const { watch, kinds } = bench();
  const fixed = { ...database.meters[10]!, route: { kind: "tcp", host: "10.0.4.1", port: 4059 } } as const;
  const behind = { ...database.meters[11]!, route: { ...fixed.route, gateway: { network: 0, device: "0A" } } };
  for (const address of ["10.0.4.1", "10.0.4.7"])
    await watch.authenticated([fixed, behind].map((meter) => ({ meter: meter as typeof fixed, address })));
  assert.deepEqual(await kinds(10), [["moved", 1]]);
  assert.deepEqual(await kinds(11), []);
});

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HEADEND_MIGRATIONS, Inbox, Outbox, openScope, type Scope } from "@meterkeep/headend";
import { startNatsServer } from "@meterkeep/headend/testing/nats-server";
import { openTestDatabase, type TestDatabase } from "@meterkeep/postgres/testing";
import { joinIslands } from "./islands.ts";

const MANY = 1_000_000;
const METER = "4D4B560000000001";

let database: TestDatabase;
before(async () => {
  database = await openTestDatabase({ migrations: HEADEND_MIGRATIONS });
});
after(() => database[Symbol.asyncDispose]());

/** One island's head-end, as far as it speaks with others. Connections that are away are no surprise here. */
interface Island extends AsyncDisposable {
  readonly outbox: Outbox;
  readonly inbox: Inbox;
  tell(first: number, count: number): Promise<void>;
}

async function island(name: string, nats: Parameters<typeof joinIslands>[0]["nats"]): Promise<Island> {
  const { pool } = database;
  const scope: Scope = await openScope(pool, "utility", name);
  const outbox = new Outbox(pool, scope);
  const joined = joinIslands({ pool, scope, outbox, nats, now: () => Date.now(), onError: () => undefined });
  return {
    outbox,
    inbox: new Inbox(pool, scope),
    tell: async (first, count) => {
      for (let n = first; n < first + count; n += 1)
        await outbox.announce(pool, [{ kind: "trust", meter: METER, body: JSON.stringify({ from: name, n }) }]);
    },
    [Symbol.asyncDispose]: () => joined[Symbol.asyncDispose](),
  };
}

/** Waits, with patience, until `inbox` has heard so many of `from`; then it must have each of them once and in order. */
async function hasHeard(inbox: Inbox, from: Outbox, last: number): Promise<void> {
  const { origin } = await from.head();
  while (((await inbox.heads()).find((head) => head.origin === origin)?.last ?? 0) < last)
    await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(
    (await inbox.heads()).find((head) => head.origin === origin),
    { origin, last, missing: 0 },
  );
  const told = await from.after(0, MANY, MANY);
  const heard = await inbox.after(origin, 0, MANY, MANY);
  assert.deepEqual(
    heard.map(({ sequence, body }) => [sequence, body]),
    told.slice(0, last).map(({ sequence, body }) => [sequence, body]),
  );
}

test("islands hear each other over a server that comes late, goes and comes back: each announcement once, in order", {
  timeout: 300_000,
}, async () => {
  await using server = await startNatsServer("between");
  await server.stop();
  await using north = await island("north", { url: server.url, hears: false });
  await using south = await island("south", { url: server.url, hears: true });
  await north.tell(1, 40);
  assert.equal((await north.outbox.head()).carried, 0, "what nobody takes waits in the outbox");
  await server.start();
  await hasHeard(south.inbox, north.outbox, 40);
  await server.stop();
  await north.tell(41, 40);
  await south.tell(1, 3);
  await server.start();
  await hasHeard(south.inbox, north.outbox, 80);
  // Who hears does not hear itself, and who does not want to hears nothing.
  while ((await south.outbox.head()).carried < 3) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(
    (await south.inbox.heads()).map(({ origin }) => origin.split("/")[1]),
    ["north"],
  );
  assert.deepEqual(await north.inbox.heads(), []);
});

test("an island whose consumer is behind goes on telling, and the consumer has everything in the end", {
  timeout: 300_000,
}, async () => {
  await using server = await startNatsServer("between");
  await using west = await island("west", { url: server.url, hears: false });
  // Nobody hears yet: what is told is kept by NATS, and the island is not held up.
  await west.tell(1, 600);
  while ((await west.outbox.head()).carried < 600) await new Promise((resolve) => setTimeout(resolve, 50));
  await using east = await island("east", { url: server.url, hears: true });
  await west.tell(601, 20);
  await hasHeard(east.inbox, west.outbox, 620);
});

test("killed in the middle, hub and leaf node lose nothing that was told, and nobody hears anything a second time", {
  timeout: 600_000,
}, async () => {
  await using hub = await startNatsServer("hub");
  await using leaf = await startNatsServer("leaf-2", hub.leafUrl);
  await using edge = await island("edge", { url: leaf.url, domain: "leaf-2", hears: false });
  await using middle = await island("middle", { url: hub.url, domain: "hub", gathers: ["leaf-2"], hears: true });
  let told = 0;
  const enough = new AbortController();
  const telling = (async () => {
    while (!enough.signal.aborted) {
      await edge.tell(told + 1, 5);
      told += 5;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  const { origin } = await edge.outbox.head();
  const heard = async (): Promise<number> =>
    (await middle.inbox.heads()).find((head) => head.origin === origin)?.last ?? 0;
  const more = async (than: number): Promise<void> => {
    while ((await heard()) <= than) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  // The leaf node while the hub is there, then both at once; every time they have taken something since.
  for (const victims of [[leaf], [hub, leaf]]) {
    await more(await heard());
    for (const victim of victims) await victim.kill();
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const victim of victims) await victim.start();
  }
  await more(await heard());
  enough.abort();
  await telling;
  await hasHeard(middle.inbox, edge.outbox, told);
});

test("a hub gathers what the leaf nodes of islands keep", { timeout: 300_000 }, async () => {
  await using hub = await startNatsServer("hub");
  await using leaf = await startNatsServer("leaf-1", hub.leafUrl);
  await using far = await island("far", { url: leaf.url, domain: "leaf-1", hears: false });
  await using centre = await island("centre", { url: hub.url, domain: "hub", gathers: ["leaf-1"], hears: true });
  await far.tell(1, 50);
  await hasHeard(centre.inbox, far.outbox, 50);
});

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inTransaction } from "@meterkeep/postgres";
import { consignment } from "../testing/carrier-contract.ts";
import { type HeadEndDatabase, openHeadEndDatabase } from "../testing/database.ts";
import type { Announcement } from "./announcement.ts";
import type { Consignment } from "./carrier.ts";
import { Inbox } from "./inbox.ts";
import { OUTBOX_DAYS, Outbox } from "./outbox.ts";
import { relay } from "./relay.ts";

let database: HeadEndDatabase;
before(async () => {
  database = await openHeadEndDatabase(1);
});
after(() => database[Symbol.asyncDispose]());

const never = new AbortController().signal;
const MANY = 1_000_000;

function told(text: string): Announcement {
  return { kind: "trust", meter: database.meters[0]!.title, body: JSON.stringify({ text }) };
}

test("numbers follow each other without a gap in the order of commits, whoever announces and whatever is rolled back", async () => {
  const { pool, scope } = database;
  const outbox = new Outbox(pool, scope);
  const { last: begun, origin } = await outbox.head();
  assert.match(origin, /^utility\/island\/[0-9a-f]{8}$/);
  const committed: string[] = [];
  await Promise.allSettled(
    Array.from({ length: 40 }, (_, n) =>
      inTransaction(pool, async (sql) => {
        await sql.query("select pg_sleep(random() / 200)");
        await outbox.announce(sql, [told(`${n} a`), told(`${n} b`)]);
        if (n % 5 === 0) throw new Error("changed its mind");
      }).then(() => committed.push(`${n} a`, `${n} b`)),
    ),
  );
  const found = await outbox.after(begun, 500, MANY);
  assert.equal(found.length, 64);
  assert.deepEqual(
    found.map(({ sequence }) => sequence - begun),
    found.map((_, at) => at + 1),
  );
  const texts = found.map(({ body }) => (JSON.parse(body) as { readonly text: string }).text);
  assert.deepEqual([...texts].sort(), [...committed].sort());
  for (let at = 0; at < texts.length; at += 2) assert.equal(texts[at]?.replace("a", "b"), texts[at + 1]);
  assert.equal((await outbox.head()).last, begun + 64);
});

test("what is read at a time is bounded by octets, and one announcement comes in any case", async () => {
  const { pool, scope } = database;
  const outbox = new Outbox(pool, scope);
  const { last } = await outbox.head();
  await outbox.announce(pool, [told("x".repeat(500)), told("y".repeat(500)), told("z")]);
  const lengths = async (octets: number) => (await outbox.after(last, 10, octets)).length;
  assert.deepEqual([await lengths(1), await lengths(600), await lengths(MANY)], [1, 2, 3]);
});

test("whoever relays may be killed at any moment: everything arrives once, in order", async () => {
  const { pool, scope } = database;
  const outbox = new Outbox(pool, scope);
  const inbox = new Inbox(pool, scope);
  const { origin, carried, last: before_ } = await outbox.head();
  await outbox.carried(before_);
  const arrived: Consignment[] = [];
  for (let round = 0; round < 12; round += 1) {
    await outbox.announce(pool, [told(`round ${round}`), told("and one more")]);
    const dies = round % 3;
    const carry = async (one: Consignment): Promise<void> => {
      if (dies === 1) throw new Error("killed before it was handed over");
      arrived.push(one);
      await inbox.take(one);
      if (dies === 2) throw new Error("killed before that was known");
    };
    await relay(outbox, { carry }, never).catch(() => undefined);
  }
  await relay(outbox, { carry: async (one) => void (await inbox.take(one)) }, never);
  assert.ok(carried <= before_);
  const { last } = await outbox.head();
  const kept = await inbox.after(origin, 0, 1_000, MANY);
  assert.deepEqual(
    kept.map(({ sequence }) => sequence),
    Array.from({ length: 24 }, (_, n) => before_ + 1 + n),
  );
  assert.deepEqual(
    kept.map(({ body }) => body),
    (await outbox.after(before_, 1_000, MANY)).map(({ body }) => body),
  );
  assert.ok(arrived.flatMap(({ announcements }) => announcements).length > kept.length - 2, "some came twice");
  assert.equal((await outbox.head()).carried, last);
});

test("an inbox takes each announcement once and counts what never came", async () => {
  const inbox = new Inbox(database.pool, database.scope);
  const origin = "other/island/0000000a";
  assert.equal(await inbox.take(consignment(origin, 1, 4)), 4);
  assert.equal(await inbox.take(consignment(origin, 3, 6)), 2);
  assert.equal(await inbox.take(consignment(origin, 1, 6)), 0);
  const both = [inbox.take(consignment(origin, 9, 9)), inbox.take(consignment(origin, 9, 9))];
  assert.equal(
    (await Promise.all(both)).reduce((sum, n) => sum + n),
    1,
  );
  const head = (await inbox.heads()).find((one) => one.origin === origin);
  assert.deepEqual(head, { origin, last: 9, missing: 2 });
  assert.deepEqual(
    (await inbox.after(origin, 4, 10, MANY)).map(({ sequence }) => sequence),
    [5, 6, 9],
  );
});

test("what has not been carried is not forgotten where it is to be carried", async () => {
  const { pool, scope } = database;
  const outbox = new Outbox(pool, scope);
  await outbox.announce(pool, [told("old"), told("older")]);
  const { last } = await outbox.head();
  await outbox.carried(last - 1);
  const later = Date.now() + (OUTBOX_DAYS + 1) * 86_400_000;
  await outbox.forget(later, true);
  assert.deepEqual(
    (await outbox.after(0, 10, MANY)).map(({ sequence }) => sequence),
    [last],
  );
  assert.equal(await outbox.forget(later, false), 1);
});

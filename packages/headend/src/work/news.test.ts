import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MeterId } from "../inventory/meter.ts";
import { openHeadEndDatabase } from "../testing/database.ts";
import { listenForNews, type News, NewsSender, payloadsOf } from "./news.ts";

test("what a worker tells arrives at the server of its place, and at no other's", async () => {
  await using database = await openHeadEndDatabase(0);
  const { pool, scope } = database;
  const heard: News[] = [];
  const elsewhere: News[] = [];
  const fail = (error: unknown): void => assert.fail(String(error));
  await using _here = listenForNews(pool, scope, (news) => heard.push(news), fail);
  await using _there = listenForNews(pool, { ...scope, place: [9, 9] }, (news) => elsewhere.push(news), fail);
  const sender = new NewsSender(pool, scope, fail);
  const probe = { kind: "other-word", meter: 7 as MeterId } as const;
  // Nobody is told when a listener is ready: what it hears first shows it.
  while (heard.length === 0) {
    sender.send(probe);
    await sender.flush();
    await sleep(10);
  }
  const meters = Array.from({ length: 2_000 }, (_, n) => (n + 1) as MeterId);
  sender.send({ kind: "changed", meters });
  sender.publish("clock", { now: "a", wallNow: "b", factor: 1 });
  await sender.flush();
  const isLast = (news: News | undefined): boolean => news?.kind === "changed" && news.meters.at(-1) === 2_000;
  while (!isLast(heard.at(-1))) await sleep(10);
  const changed = heard.flatMap((news) => (news.kind === "changed" ? news.meters : []));
  assert.deepEqual(changed, meters);
  assert.ok(heard.some((news) => news.kind === "event" && news.type === "clock"));
  assert.deepEqual(elsewhere, []);
});

test("news is packed into notifications that PostgreSQL takes, in order; one that is too long for any is not told", () => {
  const news = Array.from({ length: 300 }, (_, n) => JSON.stringify({ n, text: "ü".repeat(n % 90) }));
  const payloads = payloadsOf("1 1", [...news.slice(0, 150), "x".repeat(9_000), ...news.slice(150)]);
  assert.ok(payloads.length > 1 && payloads.every((payload) => Buffer.byteLength(payload) < 8_000));
  assert.deepEqual(
    payloads.flatMap((payload) => payload.split("\n").slice(1)),
    news,
  );
  assert.deepEqual(payloadsOf("1 1", []), []);
});

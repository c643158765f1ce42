import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { openHeadEndDatabase } from "../testing/database.ts";
import { httpWakeUpGateway, WakeUps } from "./wake-up.ts";

const HOUR_MS = 3_600_000;

test("MC-23: a meter is woken four times a day at most, never while a call may be on its way, and a restart changes nothing", async () => {
  await using database = await openHeadEndDatabase(2);
  const { pool, scope, meters } = database;
  const asked: string[] = [];
  let now = Date.parse("2026-11-21T12:00:00Z");
  const open = () =>
    new WakeUps(
      pool,
      scope,
      { wake: async ({ title }) => void asked.push(title) },
      () => now,
      async () => 4,
    );
  const [a, b] = [meters[0]!, meters[1]!];
  assert.equal(await open().wake(a, 300), true);
  assert.equal(await open().wake(a, 300), false, "one is under way");
  assert.equal(await open().wake(b, 300), true);
  for (let n = 0; n < 6; n += 1) {
    now += HOUR_MS;
    await open().wake(a, 300);
  }
  assert.deepEqual(asked, [a.title, b.title, a.title, a.title, a.title]);
  now += 24 * HOUR_MS;
  assert.equal(await open().wake(a, 300), true);
});

test("the HTTP gateway is told who and proves who asks; what it refuses is an error, and it cannot send us elsewhere", async () => {
  const heard: unknown[] = [];
  let status = 202;
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      heard.push([request.method, request.headers.authorization, JSON.parse(body)]);
      response.writeHead(status, { location: "http://127.0.0.1:1/" }).end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const gateway = httpWakeUpGateway(`http://127.0.0.1:${(server.address() as AddressInfo).port}/wake`, "Bearer x");
    await gateway.wake({ title: "4D4B560000000001", serialNumber: "7" });
    assert.deepEqual(heard, [["POST", "Bearer x", { systemTitle: "4D4B560000000001", serialNumber: "7" }]]);
    for (status of [429, 302])
      await assert.rejects(gateway.wake({ title: "4D4B560000000001", serialNumber: undefined }));
  } finally {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
});

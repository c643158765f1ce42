import assert from "node:assert/strict";
import { test } from "node:test";
import { EventHub } from "./event-hub.ts";

const hub = (keptEvents = 4, keptLines = 3): EventHub =>
  new EventHub({ run: "r", keptEvents, keptLines, now: () => new Date(0) });
const beat = { at: "x" };

test("who comes back gets what was missed, in order, or hears that it is gone", () => {
  const under = hub();
  const start = under.lastId;
  for (let n = 0; n < 3; n += 1) under.publish("heartbeat", beat);
  assert.deepEqual(
    under.since(start)?.map(({ id }) => id),
    ["r.1", "r.2", "r.3"],
  );
  assert.deepEqual(under.since("r.3"), []);
  for (let n = 0; n < 20; n += 1) under.publish("heartbeat", beat);
  assert.equal(under.since(start), undefined);
  for (const id of ["other.1", "r.999", "r.x", "", "r.-1"]) assert.equal(under.since(id), undefined, id);
});

test("it keeps no more than it may, and the newest lines come first", () => {
  const under = hub();
  for (let n = 0; n < 100; n += 1) under.publish("heartbeat", beat, { sentence: `${n}` });
  assert.deepEqual(
    under.recent(2).map(({ sentence, severity }) => [sentence, severity]),
    [
      ["99", "info"],
      ["98", "info"],
    ],
  );
  assert.ok(under.recent(1000).length <= 6);
});

test("a watcher sees what comes and nothing after it has left", () => {
  const under = hub();
  const seen: string[] = [];
  const leave = under.watch(({ id }) => seen.push(id));
  under.publish("heartbeat", beat);
  leave();
  under.publish("heartbeat", beat);
  assert.deepEqual(seen, ["r.1"]);
  assert.equal(under.watchers, 0);
});

test("who comes back from before something was left out starts anew", () => {
  const under = hub();
  under.publish("heartbeat", beat);
  under.leaveOut();
  assert.equal(under.since("r.1"), undefined);
  under.publish("heartbeat", beat);
  assert.deepEqual(under.since("r.2"), []);
});

test("while nobody watches for long, only what is listed is kept, and who comes back starts anew", () => {
  let at = 0;
  const under = new EventHub({ run: "r", keptEvents: 4, keptLines: 3, now: () => new Date(at) });
  const leave = under.watch(() => undefined);
  under.publish("heartbeat", beat);
  leave();
  at += 59_000;
  under.publish("heartbeat", beat);
  assert.deepEqual(
    under.since("r.1")?.map(({ id }) => id),
    ["r.2"],
  );
  at += 2_000;
  under.publish("heartbeat", beat);
  assert.equal(under.lastId, "r.2");
  assert.equal(under.since("r.2"), undefined);
  under.publish("heartbeat", beat, { sentence: "listed" });
  assert.equal(under.recent(1)[0]?.sentence, "listed");
});

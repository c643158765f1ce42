import assert from "node:assert/strict";
import { test } from "node:test";
import type { Meter, MeterId, SessionNews } from "@meterkeep/headend";
import type { SupplyRead } from "./drills.ts";
import { ReadBack } from "./read-back.ts";

const SESSION = "11111111-1111-4111-8111-111111111111";

function bench(early: readonly string[] = []) {
  const meters = ["A", "B", "C"].map(
    (title, id) => ({ id: id as MeterId, title, path: title === "A" ? "wan" : "depot" }) as Meter,
  );
  const asked: string[][] = [];
  const titleOf = (id: MeterId): string => meters[id]!.title;
  const readBack = new ReadBack({
    directory: { find: (title) => meters.find((meter) => meter.title === title) },
    queue: { due: async (ids) => void asked.push(ids.map(titleOf)) },
    notInService: async (ids) => new Set(ids.filter((id) => early.includes(titleOf(id)))),
    wake: () => undefined,
    now: () => Date.now(),
  });
  const ends = (title: string, outcome: SessionNews["outcome"]): void =>
    readBack.onSession({
      meter: title,
      id: SESSION,
      purpose: "verify",
      outcome,
      ...(outcome === "done" ? { supply: "connected" } : {}),
    });
  const told: SupplyRead[] = [];
  return { readBack, ends, asked, told, onRead: (read: SupplyRead) => told.push(read) };
}

const lines = (told: readonly SupplyRead[]) =>
  told.map(({ meter, supply, onItsWay }) => `${meter} ${onItsWay === true ? "on its way" : supply}`);

test("what is being taken over or cannot be reached at its place yet holds nobody up, and is told again when it answers", async () => {
  const { readBack, ends, asked, told, onRead } = bench(["C"]);
  const all = readBack.read(["A", "B", "C"], onRead);
  while (asked.length === 0) await new Promise(setImmediate);
  assert.deepEqual(asked[0], ["A", "B"]);
  ends("B", "lost");
  ends("A", "done");
  await all;
  assert.deepEqual(lines(told), ["C on its way", "B on its way", "A connected"]);
  ends("C", "done");
  ends("B", "done");
  ends("B", "done");
  assert.deepEqual(lines(told).slice(3), ["C connected", "B connected"]);
  readBack.close();
});

test("a meter of the depot's feeder that has answered in the field before is waited for like any other", async () => {
  const { readBack, ends, asked, told, onRead } = bench();
  ends("B", "done");
  const all = readBack.read(["A", "B"], onRead);
  while (asked.length === 0) await new Promise(setImmediate);
  ends("B", "lost");
  ends("A", "lost");
  assert.deepEqual(lines(told), []);
  ends("B", "done");
  ends("A", "done");
  await all;
  assert.deepEqual(lines(told), ["B connected", "A connected"]);
});

test("two rounds that wait for the same meter are both told", async () => {
  const { readBack, ends, asked, told, onRead } = bench();
  const both = [readBack.read(["A"], onRead), readBack.read(["A"], onRead)];
  while (asked.length < 2) await new Promise(setImmediate);
  ends("A", "done");
  await Promise.all(both);
  assert.deepEqual(lines(told), ["A connected", "A connected"]);
});

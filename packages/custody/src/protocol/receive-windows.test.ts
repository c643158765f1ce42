import assert from "node:assert/strict";
import { test } from "node:test";
import { accepted, type ReceiveWindow, windowOctets } from "./receive-window.ts";
import { ReceiveWindows } from "./receive-windows.ts";

const PLACE = { utility: "stadtwerke", island: "mainland", systemTitle: "5453540000000001", setup: 0 };

function stored(...counters: readonly number[]) {
  let window: ReceiveWindow | undefined;
  for (const counter of counters) window = accepted(window, counter);
  return { ...PLACE, keyVersion: 1, highest: window!.highest, seen: windowOctets(window!) };
}

test("what was learnt of a row that somebody had put back is made up for by the row that is read next", () => {
  const windows = new ReceiveWindows();
  windows.learn([stored(1, 2)], []);
  assert.ok(windows.accept(PLACE, 1, 5));
  windows.learn([stored(1, 2, 3, 4, 6)], []);
  for (const counter of [1, 2, 3, 4, 5, 6]) assert.ok(!windows.accept(PLACE, 1, counter), `${counter} was taken`);
  assert.ok(windows.accept(PLACE, 1, 7));
  // Memory that is ahead of the store stays ahead.
  windows.learn([stored(1, 2, 3, 4, 6)], []);
  assert.ok(!windows.accept(PLACE, 1, 7));
});

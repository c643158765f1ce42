import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createTelegramMemory,
  type Observation,
  parseTelegramMemory,
  REMEMBERED_METERS,
  REMEMBERED_PER_METER,
} from "./memory.ts";

const TITLE = "4C475A6773745DDD";
const seen = (counter: number, apdu: readonly number[] = [counter], more: Partial<Observation> = {}): Observation => ({
  systemTitle: TITLE,
  counter,
  apdu: Uint8Array.from(apdu),
  inDoubt: false,
  ...more,
});

test("a counter is new, repeated, in conflict or passed", () => {
  const memory = createTelegramMemory();
  assert.equal(memory.recall(seen(7)).kind, "new");
  memory.remember(seen(7));
  assert.equal(memory.recall(seen(7)).kind, "repeated");
  assert.deepEqual(memory.recall(seen(7, [1])), { kind: "conflict", inDoubt: false });
  assert.deepEqual(memory.recall(seen(6)), { kind: "passed", highest: 7 });
  assert.equal(memory.recall(seen(8)).kind, "new");
  assert.equal(memory.recall(seen(1, [1], { systemTitle: "4C475A6773745DDE" })).kind, "new");
});

test("recalling changes nothing, so that what is refused cannot push the counter up", () => {
  const memory = createTelegramMemory();
  memory.recall(seen(1_000_000));
  assert.equal(memory.recall(seen(1)).kind, "new");
});

test("what is remembered does not change with the caller's buffer", () => {
  const memory = createTelegramMemory();
  const apdu = Uint8Array.of(1, 2, 3);
  memory.remember({ ...seen(1), apdu });
  apdu[0] = 9;
  assert.equal(memory.recall(seen(1, [1, 2, 3])).kind, "repeated");
});

test("telegrams and meters kept are bounded, and the highest counter outlives the telegrams", () => {
  const memory = createTelegramMemory();
  for (let counter = 1; counter <= REMEMBERED_PER_METER + 1; counter += 1) memory.remember(seen(counter));
  assert.equal(memory.recall(seen(1)).kind, "passed");
  assert.equal(memory.recall(seen(2)).kind, "repeated");
  for (let meter = 0; meter < REMEMBERED_METERS; meter += 1)
    memory.remember(seen(1, [1], { systemTitle: meter.toString(16).toUpperCase().padStart(16, "0") }));
  assert.equal(Object.keys(memory.snapshot().meters).length, REMEMBERED_METERS);
  assert.equal(memory.recall(seen(2)).kind, "new");
});

test("a snapshot that went through JSON restores the memory", () => {
  const memory = createTelegramMemory();
  memory.remember(seen(7, [1, 2], { inDoubt: true }));
  const again = createTelegramMemory(parseTelegramMemory(JSON.parse(JSON.stringify(memory.snapshot()))));
  assert.equal(again.recall(seen(7, [1, 2])).kind, "repeated");
  assert.deepEqual(again.recall(seen(7, [1, 3])), { kind: "conflict", inDoubt: true });
  assert.deepEqual(again.snapshot(), memory.snapshot());
});

test("a file that is no snapshot is refused with the place", () => {
  const format = "meterkeep-telegram-memory-1";
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [[], /it must be an object/],
    [{ format: "x", meters: {} }, /format must be/],
    [{ format, meters: { xyz: {} } }, /meters\.xyz is no system title/],
    [{ format, meters: { [TITLE]: { highest: -1, telegrams: [] } } }, /highest must be a counter/],
    [
      { format, meters: { [TITLE]: { highest: 1, telegrams: [{ counter: 1, apdu: 7, inDoubt: false }] } } },
      /apdu must be hex/,
    ],
  ];
  for (const [json, message] of bad) assert.throws(() => parseTelegramMemory(json), { code: "invalid-value", message });
});

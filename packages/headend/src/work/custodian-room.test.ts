import assert from "node:assert/strict";
import { test } from "node:test";
import { CustodianRoom, type Round } from "./custodian-room.ts";

/** So many sessions begin. */
const begun = (room: CustodianRoom, count: number): readonly Round[] =>
  Array.from({ length: count }, () => room.begin());

test("of sessions that began together many refusals halve the room once, by what was under way", () => {
  const room = new CustodianRoom(64);
  const rounds = begun(room, 24);
  for (const round of rounds) room.refused(round, 0);
  assert.equal(room.places, 12);
  for (const round of rounds) room.granted(round);
  assert.equal(room.places, 12, "that they had room says nothing of now");
  for (const _ of rounds) room.ended();
  for (let n = 0; n < 9; n += 1) room.refused(room.begin(), 0);
  assert.equal(room.places, 1, "one in any case");
});

test("it rests twice as long each time nobody has room, up to a ceiling, and not at all as soon as one has", () => {
  const room = new CustodianRoom(64);
  const rests = [0, 1, 2, 3, 4, 5].map(() => room.refused(room.begin(), 1_000) - 1_000);
  assert.deepEqual(rests, [500, 1_000, 2_000, 4_000, 8_000, 8_000]);
  assert.equal(room.shutUntil, 9_000);
  const late = room.begin();
  room.granted(room.begin());
  assert.equal(room.refused(late, 20_000), 20_500);
});

test("it grows by one a round, and by an eighth where that is more, to what the worker may have", () => {
  const room = new CustodianRoom(64);
  for (let n = 0; n < 9; n += 1) room.refused(room.begin(), 0);
  const sizes = [room.places];
  while (room.places < 64 && sizes.length < 100) {
    for (const round of begun(room, room.places)) room.granted(round);
    sizes.push(room.places);
  }
  assert.deepEqual(sizes.slice(0, 6), [1, 2, 2, 3, 4, 5]);
  assert.ok(sizes.length < 40, `${sizes.length} rounds`);
  for (let n = 0; n < 99; n += 1) room.granted(room.begin());
  assert.equal(room.places, 64);
});

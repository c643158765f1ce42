import assert from "node:assert/strict";
import { test } from "node:test";
import { OctetPlaces } from "./octet-places.ts";

const BYTES = 7;

test("each place is its taker's alone, and zero when it is taken, whoever had it before", () => {
  const places = new OctetPlaces(BYTES);
  const fill = (place: number, octet: number) => {
    const at = places.at(place);
    places.page(place).fill(octet, at, at + BYTES);
  };
  const octetsOf = (place: number) => places.page(place).slice(places.at(place), places.at(place) + BYTES);
  // Over more than one page.
  const taken = Array.from({ length: 5000 }, () => places.take());
  assert.equal(new Set(taken).size, taken.length);
  for (const place of taken) fill(place, (place % 255) + 1);
  for (const place of taken) assert.ok(octetsOf(place).every((octet) => octet === (place % 255) + 1));
  const given = taken.filter((place) => place % 3 === 0);
  for (const place of given) places.giveBack(place);
  assert.equal(places.size, taken.length - given.length);
  for (const place of given)
    assert.ok(
      octetsOf(place).every((octet) => octet === 0),
      "wiped with its return",
    );
  const again = given.map(() => places.take());
  assert.deepEqual(new Set(again), new Set(given));
  for (const place of again) assert.ok(octetsOf(place).every((octet) => octet === 0));
});

test("a place that is nobody's is not given back: it would be two sessions' at once", () => {
  const places = new OctetPlaces(BYTES);
  const place = places.take();
  places.giveBack(place);
  for (const wrong of [place, place + 1, -1, 0.5]) assert.throws(() => places.giveBack(wrong), RangeError);
});

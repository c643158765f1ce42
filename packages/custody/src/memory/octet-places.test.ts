import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
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

test("pages on which nobody has anything are given back, all but one, and with them their memory", () => {
  const places = new OctetPlaces(BYTES);
  const few = Array.from({ length: 10 }, () => places.take());
  const page = places.pageBytes;
  assert.ok(page > 0);
  const many = Array.from({ length: 20_000 }, () => places.take());
  const most = places.pageBytes;
  assert.ok(most >= 20_010 * BYTES);
  // A place that somebody has is where it was, whatever goes.
  const last = many.pop() as number;
  for (const [number, place] of [...few, last].entries()) places.page(place)[places.at(place)] = number + 1;
  const held = places.page(last);
  for (const place of many) places.giveBack(place);
  assert.equal(places.size, few.length + 1);
  assert.equal(places.pageBytes, 3 * page, "those of the first ten and the last, and one to spare");
  assert.equal(places.page(last), held);
  for (const [number, place] of [...few, last].entries())
    assert.equal(places.page(place)[places.at(place)], number + 1);
  for (const place of [...few, last]) places.giveBack(place);
  assert.equal(places.pageBytes, page, "one is kept for who comes next");
  assert.throws(() => places.giveBack(last), RangeError, "of a page that is gone nobody has a place");
  // Who opens and ends one session after the other makes no page each time.
  const next = places.page(places.take());
  for (let time = 0; time < 5; time += 1) {
    const place = places.take();
    assert.equal(places.page(place), next);
    places.giveBack(place);
  }
});

test("whatever is taken and given back, in whatever order, each place has one owner and its own octets", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 3000 }), fc.nat())), (steps) => {
      const places = new OctetPlaces(2);
      const owned = new Map<number, readonly [Uint8Array, number]>();
      let tag = 0;
      for (const [takes, count, from] of steps)
        if (takes)
          for (let each = 0; each < count; each += 1) {
            const place = places.take();
            assert.ok(!owned.has(place), "it is somebody's");
            const [page, at] = [places.page(place), places.at(place)];
            assert.ok(page[at] === 0 && page[at + 1] === 0, "it has octets of another");
            tag = (tag % 65_535) + 1;
            page.set([tag >> 8, tag & 255], at);
            owned.set(place, [page, tag]);
          }
        else {
          const mine = [...owned.keys()];
          for (let each = 0; each < Math.min(count, mine.length); each += 1) {
            const place = mine[(from + each) % mine.length] as number;
            owned.delete(place);
            places.giveBack(place);
          }
        }
      assert.equal(places.size, owned.size);
      for (const [place, [page, tagged]] of owned) {
        const at = places.at(place);
        assert.equal(places.page(place), page, "its page is another");
        assert.deepEqual([...page.subarray(at, at + 2)], [tagged >> 8, tagged & 255]);
      }
      for (const place of owned.keys()) places.giveBack(place);
      assert.ok(places.pageBytes <= 2 * 2048);
    }),
    { numRuns: 60 },
  );
});

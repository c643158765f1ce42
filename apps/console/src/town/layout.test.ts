import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { densityFor, gutterFor, homeAt, layoutLane } from "./layout.ts";
import { isRovingKey, moveFocus, ROVING_KEYS, spotsOf } from "./roving.ts";

const homes = (count: number) => Array.from({ length: count }, (_, index) => `M${index}`);

test("homes stand inside the width, apart, and each exactly once", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1300 }), fc.integer({ min: 240, max: 1900 }), (count, width) => {
      const density = densityFor(count);
      const lane = layoutLane(homes(count), width, density);
      assert.equal(lane.homes.length, count);
      const places = new Set(lane.homes.map(({ x, y }) => `${x} ${y}`));
      assert.equal(places.size, count);
      for (const { x, y } of lane.homes) {
        assert.ok(x - density.radius >= gutterFor(width).barX && x + density.radius <= width);
        assert.ok(y >= density.radius && y <= lane.height);
      }
    }),
    { numRuns: 200 },
  );
});

test("a feeder of fifty homes breaks into rows of even length", () => {
  const lane = layoutLane(homes(50), 980, densityFor(50));
  assert.equal(lane.rows, 2);
  assert.equal(lane.homes.filter(({ row }) => row === 0).length, 25);
});

test("every home is found by its own place, and none beside the rows", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1300 }), fc.integer({ min: 240, max: 1900 }), (count, width) => {
      const density = densityFor(count);
      const lane = layoutLane(homes(count), width, density);
      for (const { meter, x, y } of lane.homes) assert.equal(homeAt(lane, density, x + 1, y - 1)?.meter, meter);
      assert.equal(homeAt(lane, density, 0, lane.height / 2), undefined);
      assert.equal(homeAt(lane, density, width / 2, -density.rowHeight), undefined);
    }),
    { numRuns: 50 },
  );
});

test("up to 400 homes a feeder each home is a full pointer target of 24 pixels", () => {
  for (const count of [50, 150, 400]) {
    const { pitch, rowHeight } = densityFor(count);
    assert.ok(pitch >= 24 && rowHeight >= 24);
  }
});

const lanes = [
  { transformer: "T1", transformerX: 74, layout: layoutLane(homes(50), 980, densityFor(50)) },
  {
    transformer: "T2",
    transformerX: 74,
    layout: layoutLane(
      homes(50).map((home) => `${home}b`),
      980,
      densityFor(50),
    ),
  },
];
const spots = spotsOf(lanes);

test("arrows walk the diagram as it is seen", () => {
  assert.equal(moveFocus(spots, undefined, "ArrowRight"), "T1");
  assert.equal(moveFocus(spots, "T1", "ArrowRight"), "M0");
  assert.equal(moveFocus(spots, "M3", "ArrowDown"), "M28");
  assert.equal(moveFocus(spots, "M28", "ArrowDown"), "M3b");
  assert.equal(moveFocus(spots, "M3b", "ArrowUp"), "M28");
  assert.equal(moveFocus(spots, "M30", "Home"), "M25");
  assert.equal(moveFocus(spots, "M30", "End"), "M49");
  assert.equal(moveFocus(spots, "M7", "PageDown"), "M7b");
});

test("at the edges of the town the focus stays", () => {
  assert.equal(moveFocus(spots, "T1", "ArrowLeft"), "T1");
  assert.equal(moveFocus(spots, "M3", "ArrowUp"), "M3");
  assert.equal(moveFocus(spots, "M49b", "ArrowRight"), "M49b");
  assert.equal(moveFocus(spots, "M3b", "PageDown"), "M3b");
});

test("every key leads to a spot that exists, and right then left comes back", () => {
  fc.assert(
    fc.property(fc.nat(spots.length - 1), fc.constantFrom(...ROVING_KEYS), (at, key) => {
      const here = spots[at]?.meter;
      const there = moveFocus(spots, here, key);
      assert.ok(spots.some(({ meter }) => meter === there));
      if (key === "ArrowRight" && there !== here) assert.equal(moveFocus(spots, there, "ArrowLeft"), here);
    }),
  );
  assert.ok(isRovingKey("PageUp") && !isRovingKey("Enter"));
});

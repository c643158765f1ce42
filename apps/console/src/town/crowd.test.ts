import assert from "node:assert/strict";
import { test } from "node:test";
import { crowdsOf } from "./crowd.ts";
import { sampleMeter } from "./sample.ts";

const home = (place: number, changes: Parameters<typeof sampleMeter>[1] = {}, dimmed = false) => ({
  ...sampleMeter(`M${place}`, changes),
  x: place * 10,
  y: 5,
  dimmed,
});
const count = (path: string) => path.match(/M/g)?.length ?? 0;

test("a thousand homes of three looks are three crowds, and every home stands in one", () => {
  const homes = Array.from({ length: 1000 }, (_, place) =>
    home(place, place % 100 === 0 ? { trust: "quarantined" } : place % 10 === 0 ? { supply: "disconnected" } : {}),
  );
  const crowds = crowdsOf(homes, 4);
  assert.deepEqual(
    crowds.map(({ shapes }) => count(shapes)).toSorted((a, b) => a - b),
    [10, 90, 900],
  );
  const dark = crowds.find(({ supply }) => supply === "disconnected");
  assert.equal(count(dark?.supplies ?? ""), 90);
  const quarantined = crowds.find(({ outline }) => outline === "double");
  assert.equal(count(quarantined?.doubles ?? ""), 10);
});

test("a home stands at its place, and one that is singled out is drawn above the dimmed", () => {
  const crowds = crowdsOf([home(7), home(8, {}, true)], 4);
  assert.deepEqual(
    crowds.map(({ classes }) => classes.includes("dimmed")),
    [true, false],
  );
  assert.ok(crowds[1]?.shapes.startsWith("M70 5m"));
});

test("two states of trust of one colour stay two shapes", () => {
  assert.equal(crowdsOf([home(1, { trust: "quarantined" }), home(2, { trust: "distrusted" })], 4).length, 2);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { TRUST_LOOKS, TRUST_ORDER, trustMeans, trustPath } from "./trust.ts";

test("every trust state has a shape of its own, so that colour is never alone", () => {
  const shapes = TRUST_ORDER.map((trust) => TRUST_LOOKS[trust].shape);
  assert.equal(new Set(shapes).size, shapes.length);
  assert.deepEqual([...TRUST_ORDER].toSorted(), Object.keys(TRUST_LOOKS).toSorted());
});

test("of a meter whose keys were added by hand nothing is said of new keys or a shipment", () => {
  assert.match(trustMeans("provisional", "home"), /keys are new/);
  for (const trust of ["held", "provisional"] as const)
    assert.doesNotMatch(trustMeans(trust, "attached"), /keys are new|shipment|taken over/);
  assert.equal(trustMeans("retired", "attached"), TRUST_LOOKS.retired.means);
});

test("shapes are closed paths of plain numbers, near the size that was asked for", () => {
  for (const trust of TRUST_ORDER) {
    const path = trustPath(trust, 7);
    assert.match(path, /^m[-\d. la]+z$/);
    const numbers = path.match(/-?\d+(\.\d+)?/g)?.map(Number) ?? [];
    assert.ok(Math.max(...numbers.map(Math.abs)) <= 7 * 2.3);
  }
});

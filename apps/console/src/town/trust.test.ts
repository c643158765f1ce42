import assert from "node:assert/strict";
import { test } from "node:test";
import { TRUST_LOOKS, TRUST_ORDER, trustPath } from "./trust.ts";

test("every trust state has a shape of its own, so that colour is never alone", () => {
  const shapes = TRUST_ORDER.map((trust) => TRUST_LOOKS[trust].shape);
  assert.equal(new Set(shapes).size, shapes.length);
  assert.deepEqual([...TRUST_ORDER].toSorted(), Object.keys(TRUST_LOOKS).toSorted());
});

test("shapes are closed paths of plain numbers, near the size that was asked for", () => {
  for (const trust of TRUST_ORDER) {
    const path = trustPath(trust, 7);
    assert.match(path, /^m[-\d. la]+z$/);
    const numbers = path.match(/-?\d+(\.\d+)?/g)?.map(Number) ?? [];
    assert.ok(Math.max(...numbers.map(Math.abs)) <= 7 * 2.3);
  }
});

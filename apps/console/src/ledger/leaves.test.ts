import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { LedgerRow } from "@meterkeep/api";
import { checkLeaves, isIncluded } from "./leaves.ts";

const scope = { utility: "demo", island: "main" };
const sha256 = (...parts: readonly (Buffer | string)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** An entry, its leaf as the format says: the line written out once more. */
function entry(sequence: number, where = scope, meter?: string): LedgerRow {
  const at = Date.parse("2026-11-21T12:00:00Z") + sequence;
  const body = JSON.stringify({ sequence });
  const ofMeter = meter === undefined ? "" : `"meter":"${meter}",`;
  const line = `{"sequence":${sequence},"at":${at},"kind":"session-opened","principal":"head-end","utility":"${where.utility}","island":"${where.island}",${ofMeter}"body":${body}}`;
  return {
    sequence,
    at: new Date(at).toISOString(),
    kind: "session-opened",
    principal: "head-end",
    ...where,
    ...(meter === undefined ? {} : { meter }),
    body,
    leaf: sha256(Buffer.of(0), line).toString("hex"),
  };
}

function stretch(): LedgerRow[] {
  return [entry(3), entry(2, scope, "4D4B560000000001"), entry(1, { utility: "*", island: "*" })];
}

test("an untouched stretch fits, whoever the entries belong to", async () => {
  assert.deepEqual(await checkLeaves(stretch()), { checked: 3, broken: [] });
});

test("a changed body, time, principal or owner breaks its entry", async () => {
  for (const change of [{ body: "{}" }, { at: "2026-11-21T12:00:09Z" }, { principal: "depot" }, { utility: "other" }]) {
    const entries = stretch().map((row) => (row.sequence === 2 ? { ...row, ...change } : row));
    assert.deepEqual((await checkLeaves(entries)).broken, [2]);
  }
});

test("an entry that was taken out breaks the next", async () => {
  const entries = stretch().filter(({ sequence }) => sequence !== 2);
  assert.deepEqual((await checkLeaves(entries)).broken, [3]);
  assert.deepEqual((await checkLeaves(entries, { gaps: true })).broken, [], "it was left out on purpose");
});

test("an entry leads to the root of its tree by its proof, and a changed one does not", async () => {
  const [third, second, first] = stretch() as [LedgerRow, LedgerRow, LedgerRow];
  const hash = (row: LedgerRow) => Buffer.from(row.leaf, "hex");
  const left = sha256(Buffer.of(1), hash(first), hash(second));
  const root = sha256(Buffer.of(1), left, hash(third)).toString("hex");
  const ofSecond = { size: 3, root, hashes: [first.leaf, third.leaf] };
  assert.ok(await isIncluded(second, ofSecond));
  assert.ok(await isIncluded(third, { size: 3, root, hashes: [left.toString("hex")] }));
  assert.ok(await isIncluded(first, { size: 3, root, hashes: [second.leaf, third.leaf] }));
  assert.equal(await isIncluded({ ...second, principal: "depot" }, ofSecond), false);
  assert.equal(await isIncluded(third, ofSecond), false);
  assert.equal(await isIncluded(second, { ...ofSecond, size: 2 }), false);
});

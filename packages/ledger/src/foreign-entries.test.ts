import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { countingOnly, ForeignEntries } from "./foreign-entries.ts";
import { Ranges, rangesOf } from "./ranges.ts";
import type { StoredEntry } from "./stored-entry.ts";

const altered = (from: number, to = from) => ({ from, to, fault: "altered" as const });
const entry = (sequence: number) => ({ entry: { sequence, leaf: new Uint8Array() }, mac: undefined }) as StoredEntry;

test("ranges hold the numbers that were added, and no others, in as few ranges as they can be", () => {
  const range = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.nat(9)).map(([from, more]) => ({ from, to: from + more }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 30 }), (added) => {
      const ranges = new Ranges();
      const numbers = new Set<number>();
      for (const { from, to } of added) {
        const isIn = Array.from({ length: to - from + 1 }, (_, at) => from + at).every((one) => numbers.has(one));
        assert.equal(ranges.covers({ from, to }), isIn);
        assert.equal(ranges.add({ from, to }), !isIn);
        for (let number = from; number <= to; number += 1) numbers.add(number);
      }
      assert.deepEqual(ranges.all, rangesOf([...numbers]));
      for (let number = 0; number < 80; number += 1) assert.equal(ranges.at(number) !== undefined, numbers.has(number));
      for (const { from, to } of ranges.widened(16).all)
        assert.deepEqual(
          [(from - 1) % 16, to % 16, rangesOf([...numbers]).some((one) => one.to >= from)],
          [0, 0, true],
        );
    }),
  );
});

test("of very many entries that were changed each counts nowhere, and people hear of the blocks in which they are", () => {
  const foreign = new ForeignEntries();
  for (let sequence = 1; sequence <= 40_000; sequence += 2) foreign.add(altered(sequence));
  assert.deepEqual([foreign.has(39_999), foreign.has(39_998), foreign.found > 0], [true, false, true]);
  assert.equal(foreign.listed.split("],").length, 20_000);
  assert.ok(foreign.findings.length <= 1000, String(foreign.findings.length));
  assert.ok(foreign.findings.every(({ from, to }) => from % 256 === 1 && to % 256 === 0));
  const { findings, found } = foreign;
  foreign.add(altered(39_997));
  assert.deepEqual([foreign.findings === findings, foreign.found], [true, found], "what was found is not found anew");
});

test("what was put right counts again and is told anew where it is wrong once more, and what is wrong otherwise counts nowhere still", () => {
  const foreign = new ForeignEntries();
  for (const [from, to] of [
    [4, 6],
    [9, 9],
  ] as const)
    foreign.add(altered(from, to));
  foreign.add({ from: 6, to: 7, fault: "appended" });
  foreign.tell({ from: 9, to: 9, fault: "hidden" });
  foreign.forget([altered(4, 6), { from: 9, to: 9, fault: "hidden" }]);
  assert.deepEqual(
    [4, 5, 6, 7, 9].map((sequence) => foreign.has(sequence)),
    [false, false, true, true, true],
  );
  assert.deepEqual(foreign.findings, [altered(9), { from: 6, to: 7, fault: "appended" }]);
  assert.equal(foreign.listed, "{[6,7],[9,9]}");
  const { found } = foreign;
  foreign.add(altered(4, 6));
  assert.deepEqual([foreign.found, foreign.has(4)], [found + 1, true]);
});

test("what is no range counts as nothing", () => {
  const foreign = new ForeignEntries();
  for (const [from, to] of [
    [1, Number.MAX_SAFE_INTEGER + 1],
    [2, 1],
  ] as const)
    assert.throws(() => foreign.add(altered(from, to)), RangeError);
  assert.deepEqual([foreign.findings, foreign.listed, countingOnly(1).includes("$1")], [[], "{}", true]);
});

test("a reading that finds ever more that was changed ends with a refusal, and never with what is older than all it may leave out", async () => {
  const foreign = new ForeignEntries();
  foreign.judgeBy(async (leaves) => leaves.map(() => false));
  let next = 0;
  const read = async () => {
    next += 2;
    return [entry(next)];
  };
  await assert.rejects(
    foreign.counting(read, (entries) => entries),
    { code: "ledger-altered" },
  );
  const all = Array.from({ length: 60_000 }, (_, at) => entry(1_000_001 + 2 * at));
  await assert.rejects(
    foreign.counting(
      async () => all,
      (entries) => entries,
    ),
    { code: "ledger-altered" },
  );
});

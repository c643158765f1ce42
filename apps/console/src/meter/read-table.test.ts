import assert from "node:assert/strict";
import { test } from "node:test";
import { headOf, readTable } from "./read-table.ts";

test("registers are a row each, with a value in its unit and a time", () => {
  const at = "2026-03-01T10:00:00.000Z";
  assert.deepEqual(readTable([{ obis: "1-0:1.8.0", value: 1234, unit: "Wh", at }]), {
    columns: ["OBIS", "Value", "Time"],
    rows: [
      [
        { kind: "text", text: "1-0:1.8.0" },
        { kind: "quantity", value: 1234, unit: "Wh" },
        { kind: "instant", at },
      ],
    ],
  });
});

test("a single thing is a row a member, in words", () => {
  const { columns, rows } = readTable({ primaryAddress: 3, installed: true, version: null });
  assert.deepEqual(columns, ["What", "Value"]);
  assert.deepEqual(
    rows.map((cells) => cells.map((cell) => (cell.kind === "text" ? cell.text : cell.kind))),
    [
      ["Primary address", "3"],
      ["Installed", "yes"],
      ["Version", "–"],
    ],
  );
});

test("whatever a meter says, no cell is code, and what is deep is counted", () => {
  const deep = { seasons: [{ name: "all", weeks: [[1, 2, [3, [4]]]] }], none: [] };
  for (const { kind, ...cell } of readTable([deep, { other: 1 }]).rows.flat())
    if (kind === "text") assert.doesNotMatch((cell as { readonly text: string }).text, /[{}[\]"]/);
  assert.equal(headOf("captureObjects"), "Capture objects");
});

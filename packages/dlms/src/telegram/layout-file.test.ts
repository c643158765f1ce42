import assert from "node:assert/strict";
import { test } from "node:test";
import { parseObis } from "../obis/code.ts";
import { BUILT_IN_PROFILE_FILES } from "../profile/built-in-profiles.ts";
import { BUILT_IN_LAYOUT_FILES, BUILT_IN_LAYOUTS } from "./built-in-layouts.ts";
import { parseLayoutFile } from "./layout-file.ts";

const file = (layout: unknown) => ({ family: "test", sources: ["test"], layouts: [layout] });
const layout = { id: "mine", title: "Mine", match: {} };

test("the built-in layouts are valid, have names of their own and say where they come from", () => {
  const ids = BUILT_IN_LAYOUTS.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  // Nothing checks them when the package is imported.
  for (const one of [...BUILT_IN_LAYOUT_FILES, ...BUILT_IN_PROFILE_FILES]) {
    const { layouts, profiles, ...facts } = one;
    const lists = { ...(layouts.length > 0 && { layouts }), ...(profiles.length > 0 && { profiles }) };
    assert.deepEqual(parseLayoutFile({ ...facts, ...lists }), one);
    assert.ok(one.sources.length > 0);
  }
  for (const { columns = [], id } of BUILT_IN_LAYOUTS) {
    const firstOptional = columns.findIndex(({ optional }) => optional === true);
    const isAtEnd = firstOptional < 0 || columns.slice(firstOptional).every(({ optional }) => optional === true);
    assert.ok(isAtEnd, `${id}: optional columns stand at the end`);
    const codes = columns.flatMap(({ name }) => (name !== undefined && "obis" in name ? [name.obis] : []));
    assert.equal(new Set(codes).size, codes.length, `${id}: a code stands in one column`);
    for (const code of codes) assert.notEqual(parseObis(code), undefined);
  }
});

test("a layout without anything but its name is a layout", () => {
  assert.equal(parseLayoutFile(file(layout)).layouts[0]?.id, "mine");
});

test("what is wrong with a file is said with the place", () => {
  const columns = (column: unknown) => file({ ...layout, columns: [column] });
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [[], /the file must be an object/],
    [{ family: "x", sources: ["y"] }, /layouts is missing/],
    [{ ...file(layout), more: 1 }, /more is not a field/],
    [file({ ...layout, id: "My Layout" }), /layouts\[0\]\.id must be lower-case/],
    [columns({ type: "u32" }), /layouts\[0\]\.columns\[0\]\.type must be one of/],
    [columns({ type: "unsigned", scaler: 99 }), /columns\[0\]\.scaler must be an integer/],
    [columns({ type: "unsigned", name: { obis: "1.8" } }), /columns\[0\]\.name\.obis must be an OBIS code/],
    [columns({ type: "unsigned", name: {} }), /columns\[0\]\.name\.obis is missing/],
    [file({ ...layout, scales: [{ quantity: "mass", scaler: 0 }] }), /scales\[0\]\.quantity must be one of/],
    [file({ ...layout, scales: [{ obis: "x", scaler: 0 }] }), /scales\[0\]\.obis must be an OBIS selector/],
    [file({ ...layout, scales: [{ scaler: [0, "1"] }] }), /scales\[0\]\.scaler\[1\] must be an integer/],
    [file({ ...layout, scales: [{ scaler: 0, plausible: [2, 1] }] }), /plausible must be two numbers/],
    [file({ ...layout, match: { makers: ["lgz"] } }), /match\.makers\[0\] must be three capital letters/],
  ];
  for (const [json, message] of bad) assert.throws(() => parseLayoutFile(json), { code: "invalid-value", message });
});

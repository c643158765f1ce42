import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseJson } from "./json-syntax.ts";

test("what is wrong with a JSON text is said by line and column", () => {
  const bad: readonly (readonly [string, string])[] = [
    ["{", "line 1, column 2: a name or } is expected"],
    ['{"a": 1,\n "b": }', "line 2, column 7: a value is expected"],
    ["[1,\n2", "line 2, column 2: , or ] is expected"],
    ['{"a" 1}', "line 1, column 6: a : is expected"],
    ['{"a": 1 "b": 2}', "line 1, column 9: , or } is expected"],
    ["[1,]", "line 1, column 4: a value is expected"],
    ["[] []", "line 1, column 4: the end is expected"],
    ["", "line 1, column 1: a value is expected"],
    ['["a\nb"]', "line 1, column 2: an item or ] is expected"],
    ["[01]", "line 1, column 3: , or ] is expected"],
  ];
  for (const [text, message] of bad) assert.throws(() => parseJson(text), { message }, text);
});

test("every JSON text is parsed as ever, and every cut one is refused by place", () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), (text, cut) => {
      assert.deepEqual(parseJson(text), JSON.parse(text));
      const part = text.slice(0, cut % text.length);
      try {
        JSON.parse(part);
      } catch {
        assert.throws(() => parseJson(part), { message: /^line \d+, column \d+: .+ is expected$/ });
      }
    }),
  );
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MC_RULES, RULE_IDS } from "@meterkeep/guard";
import { PLAUSIBILITY_RULES } from "@meterkeep/headend";
import { ROOT } from "./run.ts";

const TABLE_ROW = /^\| (MC-\d\d) \| [^|]+ \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm;
/** `test("…", …)`, also where the formatter has put the title on a line of its own. */
const TEST_TITLE = /\btest\(\s*["'`]([^"'`]*)/g;

test("each rule is held to where docs/rules.md says, and the tests that it names say the rule's id in a title", () => {
  const table = readFileSync(`${ROOT}/docs/rules.md`, "utf8");
  const rows = [...table.matchAll(TABLE_ROW)].map(([, id = "", who = "", where = "", tests = ""]) => ({
    id,
    who,
    where: filesIn(where),
    tests: filesIn(tests),
  }));
  assert.deepEqual(
    rows.map(({ id }) => id),
    RULE_IDS,
  );
  const wrong: string[] = [];
  for (const { id, who, where, tests } of rows) {
    const { enforced } = MC_RULES[id as keyof typeof MC_RULES];
    if (who.includes("C") !== (enforced !== "head-end")) wrong.push(`${id}: ${who}, and the rule says ${enforced}`);
    if (where.length === 0 || tests.length === 0) wrong.push(`${id}: no file`);
    for (const file of where) if (!sourceOf(file).includes(id)) wrong.push(`${id}: ${file} does not name it`);
    for (const file of tests)
      if (![...sourceOf(file).matchAll(TEST_TITLE)].some(([, title]) => title?.includes(id)))
        wrong.push(`${id}: ${file} has no test of it`);
  }
  assert.deepEqual(wrong, []);
});

const PLAUSIBILITY_ROW = /^\| (P-\d+) \| [^|]+ \| ([a-z]+) \| ([a-z, ]+) \| ([^|]+) \| ([^|]+) \|$/gm;

test("each rule of plausibility is where docs/rules.md says, as grave as it says, and tests that it names say its id in a title", () => {
  const table = readFileSync(`${ROOT}/docs/rules.md`, "utf8");
  const rows = [...table.matchAll(PLAUSIBILITY_ROW)];
  assert.deepEqual(
    rows.map(([, id]) => id),
    Object.keys(PLAUSIBILITY_RULES),
  );
  const wrong = rows.flatMap(([, id = "", severity = "", when = "", where = "", tests = ""]) => {
    const rule = PLAUSIBILITY_RULES[id as keyof typeof PLAUSIBILITY_RULES];
    return [
      ...(rule.severity === severity && when.includes(rule.judged) ? [] : [`${id}: ${severity}, ${when}`]),
      ...filesIn(where).flatMap((file) =>
        sourceOf(file).includes(`"${id}"`) ? [] : [`${id}: ${file} does not name it`],
      ),
      ...filesIn(tests).flatMap((file) =>
        [...sourceOf(file).matchAll(TEST_TITLE)].some(([, title]) => new RegExp(`${id}\\b`).test(title ?? ""))
          ? []
          : [`${id}: ${file} has no test of it`],
      ),
    ];
  });
  assert.deepEqual(wrong, []);
});

function filesIn(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, file = ""]) => file);
}

function sourceOf(file: string): string {
  return readFileSync(`${ROOT}/${file}`, "utf8");
}

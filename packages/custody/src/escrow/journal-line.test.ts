import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type JournalLine, journalLines } from "./journal-line.ts";

const MOST = 300_000;
/** All of a line but what it says. */
const HEAD = `mac 7 ${"A".repeat(43)}= `;

/** The lines of a file with these texts, each with its line feed but the last. */
async function linesOf(...texts: readonly string[]): Promise<JournalLine[]> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-lines-"));
  const path = join(folder, "journal");
  writeFileSync(path, texts.join("\n"));
  await using handle = await open(path, "r");
  try {
    const lines: JournalLine[] = [];
    for await (const some of journalLines(handle, 0, (await handle.stat()).size, MOST)) lines.push(...some);
    return lines;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a line of many reads is put together whole, and the one after it is found where it begins", async () => {
  const long = `${HEAD}"${"ü".repeat(140_000)}"`;
  const [first, second, third] = await linesOf(`${HEAD}1`, long, `${HEAD}2`);
  assert.deepEqual([first?.json, third?.json, third?.line], ["1", "2", 3]);
  assert.equal(second?.json, long.slice(HEAD.length));
  assert.equal(third?.from, Buffer.byteLength(`${HEAD}1\n${long}\n`));
});

test("a line that no journal has is kept by nobody and says nothing; those beside it are read", async () => {
  const lines = await linesOf(`${HEAD}1`, "x".repeat(3 * MOST), "", `${HEAD}2`, "y".repeat(MOST + 1));
  assert.deepEqual(
    lines.map(({ line, mac, json }) => [line, mac, json]),
    [
      [1, "mac", "1"],
      [2, "", ""],
      [4, "mac", "2"],
      [5, "", ""],
    ],
  );
  assert.deepEqual([lines[1]?.from, lines[1]?.end], [HEAD.length + 2, HEAD.length + 2 + 3 * MOST]);
});

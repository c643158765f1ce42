import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openAuthenticJournal } from "./authentic-journal.ts";

test("who writes a line for each that is read comes to an end, and finds both the next time", async () => {
  const directory = mkdtempSync(join(tmpdir(), "meterkeep-journal-"));
  try {
    const vault = { authenticate: async (texts: readonly Uint8Array[]) => texts.map(macOf) };
    const journal = await openAuthenticJournal<number>({ directory, file: "a.jsonl", domain: "test" }, vault);
    const none = () => assert.fail("no line is strange");
    for await (const _ of journal.read(none)) assert.fail("there is none");
    const lines = Array.from({ length: 3_000 }, (_, n) => n);
    await journal.append(...lines);
    const read: number[] = [];
    for await (const line of journal.read(none)) {
      read.push(line);
      await journal.append(-line);
    }
    assert.deepEqual(read, lines);
    let count = 0;
    for await (const _ of journal.read(none)) count += 1;
    assert.equal(count, 6_000);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

function macOf(text: Uint8Array): Uint8Array {
  return createHmac("sha256", "a key").update(text).digest();
}

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type JournalHead, openAuthenticJournal } from "./authentic-journal.ts";

test("who writes a line for each that is read comes to an end, and finds both the next time", async () => {
  const directory = mkdtempSync(join(tmpdir(), "meterkeep-journal-"));
  try {
    const vault = { authenticate: async (texts: readonly Uint8Array[]) => texts.map(macOf) };
    const journal = await openAuthenticJournal<number>({ directory, file: "a.jsonl", domain: "test" }, vault);
    const none = () => assert.fail("no line is strange");
    for await (const _ of journal.read(none)) assert.fail("there is none");
    const lines = Array.from({ length: 300 }, (_, n) => n);
    await journal.append(...lines);
    const read: number[] = [];
    for await (const line of journal.read(none)) {
      read.push(line);
      await journal.append(-line);
    }
    assert.deepEqual(read, lines);
    let count = 0;
    for await (const _ of journal.read(none)) count += 1;
    assert.equal(count, 600);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

function macOf(text: Uint8Array): Uint8Array {
  return createHmac("sha256", "a key").update(text).digest();
}

/** A journal of so many numbers in a folder of its own, with its lines as they stand in the file. */
async function journalOf(count: number, body: (bench: Awaited<ReturnType<typeof benchOf>>) => Promise<void>) {
  const directory = mkdtempSync(join(tmpdir(), "meterkeep-journal-"));
  try {
    await body(await benchOf(directory, count));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function benchOf(directory: string, count: number) {
  const path = join(directory, "a.jsonl");
  const reopened = (kept?: JournalHead) =>
    openAuthenticJournal<number>({ directory, file: "a.jsonl", domain: "test", kept }, VAULT);
  const journal = await reopened();
  for (let n = 1; n <= count; n += 1) await journal.append(n);
  return {
    path,
    journal,
    reopened,
    lines: () =>
      readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => line !== ""),
    write: (lines: readonly string[]) => writeFileSync(path, lines.map((line) => `\n${line}\n`).join("")),
    /** What it says, and what is wrong with it. */
    read: async () => {
      const [said, breaks, strange]: [number[], string[], number[]] = [[], [], []];
      for await (const one of journal.read(
        (line) => strange.push(line),
        ({ expected, found }) => breaks.push(`${found} for ${expected}`),
      ))
        said.push(one);
      return { said, breaks, strange: strange.length };
    },
  };
}

const VAULT = { authenticate: async (texts: readonly Uint8Array[]) => texts.map(macOf) };

test("a line that is taken out, moved or said twice is told of, and nothing that is there is left out", () =>
  journalOf(5, async ({ lines, write, read }) => {
    const [one, two, three, four, five] = lines() as [string, string, string, string, string];
    assert.deepEqual(await read(), { said: [1, 2, 3, 4, 5], breaks: [], strange: 0 });
    write([one, two, four, five]);
    assert.deepEqual(await read(), { said: [1, 2, 4, 5], breaks: ["4 for 3"], strange: 0 });
    write([one, three, two, four, five]);
    assert.deepEqual((await read()).breaks, ["3 for 2", "2 for 4"]);
    write([one, two, three, four, five, two]);
    assert.deepEqual(await read(), { said: [1, 2, 3, 4, 5, 2], breaks: ["2 for 6"], strange: 0 });
    write([one, two, three.replace(/ 3 /, " 4 "), five]);
    assert.deepEqual(await read(), { said: [1, 2, 5], breaks: ["5 for 3"], strange: 1 });
  }));

test("who has kept where a journal ended finds out that its last lines were cut off, and that others were put there", () =>
  journalOf(4, async ({ journal, reopened, lines, write }) => {
    const head = await journal.head();
    assert.ok(head !== undefined && head.lines === 4);
    assert.ok(await journal.holds(head));
    const all = lines();
    write(all.slice(0, 3));
    assert.equal(await journal.holds(head), false);
    const other = await reopened(head);
    await other.append(44);
    assert.equal((await other.head())?.lines, 4);
    assert.equal(await other.holds(head), false, "the fourth line is another one");
    write(all);
    assert.ok(await (await reopened(head)).holds(head));
  }));

test("an append that is cut short, and another process that writes, break no chain", () =>
  journalOf(2, async ({ path, journal, reopened, read }) => {
    appendFileSync(path, "\nAAAA 3 half a li");
    const other = await reopened(await journal.head());
    await other.append(3);
    await journal.append(4);
    await other.append(5);
    assert.deepEqual(await read(), { said: [1, 2, 3, 4, 5], breaks: [], strange: 1 });
  }));

test("a line without a number is none, whoever made its MAC", () =>
  journalOf(1, async ({ lines, write, read }) => {
    const bare = `${Buffer.from(macOf(Buffer.from("test/10"))).toString("base64")} 10`;
    write([bare, ...lines(), bare]);
    assert.deepEqual(await read(), { said: [1], breaks: [], strange: 2 });
  }));

test("a link that the owner of its storage put in a journal's place is neither written to nor read", () =>
  journalOf(2, async ({ path, journal, reopened, read }) => {
    const other = `${path}.other`;
    renameSync(path, other);
    symlinkSync(other, path);
    const before = readFileSync(other, "utf8");
    await assert.rejects(journal.append(3), /is a link/);
    await assert.rejects(reopened(), /is a link/);
    await assert.rejects(read(), /is a link/);
    assert.equal(readFileSync(other, "utf8"), before);
  }));

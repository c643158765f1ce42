import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type StateNote, stateNote } from "./state-note.ts";

interface Said {
  readonly count: number;
  readonly name: string;
}

const vault = {
  authenticate: async (texts: readonly Uint8Array[]) =>
    texts.map((text) => new Uint8Array(createHmac("sha256", "a test").update(text).digest())),
};

async function withNote(body: (folder: string, path: string, note: StateNote<Said>) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-note-"));
  const path = join(folder, "note.json");
  try {
    await body(
      folder,
      path,
      stateNote<Said>({ path, domain: "a-test", fields: { count: "integer", name: "string" }, vault }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const SAID = { count: 10, name: "Ada" };

test("a note says what was kept, and nothing where there is none", () =>
  withNote(async (folder, _, note) => {
    assert.equal(await note.read(), undefined);
    await note.keep(SAID);
    assert.deepEqual(await note.read(), SAID);
    await note.keep({ ...SAID, count: 11 });
    assert.deepEqual([await note.read(), readdirSync(folder)], [{ ...SAID, count: 11 }, ["note.json"]]);
  }));

test("a number that was written as a text, or a text as a number, is none of ours, though its MAC fits", () =>
  withNote(async (_, path, note) => {
    for (const [from, to] of [
      ['"count":10', '"count":"10"'],
      ['"name":"7"', '"name":7'],
      ['"name":"7"', '"name":["7"]'],
    ] as const) {
      await note.keep({ count: 10, name: "7" });
      const kept = readFileSync(path, "utf8");
      assert.ok(kept.includes(from));
      writeFileSync(path, kept.replace(from, to));
      assert.equal(await note.read(), "not ours", to);
    }
  }));

/** What the owner of a storage may put in the place of a file. */
const PLANTED: readonly (readonly [string, (path: string, other: string) => void])[] = [
  ["a link to another file", (path, other) => symlinkSync(other, path)],
  ["a link to nothing", (path) => symlinkSync("/nowhere/at/all", path)],
  ["a link to a device without end", (path) => symlinkSync("/dev/zero", path)],
  ["a pipe", (path) => void execFileSync("mkfifo", [path])],
  ["more than any note has", (path) => writeFileSync(path, Buffer.alloc(5 * 1024 * 1024, 0x20))],
];

for (const [what, plant] of [...PLANTED, ["a folder", (path: string) => mkdirSync(path)] as const])
  test(`${what} in a note's place is none of ours, is waited for by nobody, and can be set aside`, () =>
    withNote(async (folder, path, note) => {
      await note.keep(SAID);
      // What it links to is a note that is right.
      const other = join(folder, "other.json");
      writeFileSync(other, readFileSync(path));
      rmSync(path);
      plant(path, other);
      assert.equal(await note.read(), "not ours");
      assert.equal(await note.setAside(), `${path}.aside`);
      assert.equal(await note.read(), undefined);
      await note.keep(SAID);
      assert.deepEqual(await note.read(), SAID);
      plant(`${path}.aside-2`, other);
      assert.equal(await note.setAside(), `${path}.aside-3`);
    }));

for (const [what, plant] of PLANTED)
  test(`${what} where a note is written before it has its name is neither followed, written to nor waited for`, () =>
    withNote(async (folder, path, note) => {
      const other = join(folder, "root.key");
      writeFileSync(other, "what must stay");
      plant(`${path}.new`, other);
      await note.keep(SAID);
      assert.deepEqual(await note.read(), SAID);
      assert.equal(readFileSync(other, "utf8"), "what must stay");
      assert.equal(existsSync(`${path}.new`), false);
    }));

test("a link in a note's place is replaced, and what it links to stays as it was", () =>
  withNote(async (folder, path, note) => {
    const other = join(folder, "root.key");
    writeFileSync(other, "what must stay");
    symlinkSync(other, path);
    await note.keep(SAID);
    assert.deepEqual([await note.read(), readFileSync(other, "utf8")], [SAID, "what must stay"]);
  }));

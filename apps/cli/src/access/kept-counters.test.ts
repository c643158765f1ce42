import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { keptCountersFile, openKeptCounters } from "./kept-counters.ts";

const directory = mkdtempSync(`${tmpdir()}/mk-counters-`);
after(() => rmSync(directory, { recursive: true }));

const KEY = fromHex("5D0E8B7741F2C39A06D4B81EC7532FA9");
const OTHER = fromHex("B18F02D94C6E7A3350AD91FC27E6480B");

test("no counter is used twice under a key, not after a command that was killed either", () => {
  const file = `${directory}/a/client.json`;
  const taken: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    const kept = openKeptCounters(file);
    const counters = kept.of(KEY, kept.title, 5);
    taken.push(counters.take(3), counters.take(1), counters.take(70));
    // What is on disk is already above what was given.
    const { next } = JSON.parse(readFileSync(file, "utf8")) as { readonly next: Readonly<Record<string, number>> };
    assert.ok(Object.values(next)[0]! >= taken.at(-1)! + 70);
  }
  assert.equal(taken[0], 5);
  assert.deepEqual(
    taken,
    [...new Set(taken)].toSorted((a, b) => a - b),
  );
  for (const [at, first] of taken.slice(1).entries()) assert.ok(first >= taken[at]! + [3, 1, 70][at % 3]!);
});

test("what a meter says only ever raises the counter, and each key has its own", () => {
  const kept = openKeptCounters(`${directory}/b.json`);
  assert.equal(kept.of(KEY, kept.title, 1_000).take(1), 1_000);
  assert.ok(kept.of(KEY, kept.title, 3).take(1) > 1_000);
  assert.equal(kept.of(OTHER, kept.title, 3).take(1), 3);
  assert.equal(kept.of(KEY, systemTitle(fromHex("4D4B480000000001")), 3).take(1), 3);
  assert.throws(() => kept.of(KEY, kept.title, 0xffff_fff0).take(1), { code: "option-invalid" });
});

test("the title is made once for this machine, the file is the owner's and holds no key", () => {
  const file = `${directory}/c.json`;
  const titles = [0, 1].map(() => {
    const kept = openKeptCounters(file);
    kept.of(KEY, kept.title, 0).take(1);
    return Buffer.from(kept.title).toString("hex");
  });
  assert.match(titles[0]!, /^4d4b43/);
  assert.equal(titles[1], titles[0]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!readFileSync(file, "utf8").toUpperCase().includes("5D0E8B77"));
});

test("two that take counters at the same time never get the same", () => {
  const file = `${directory}/e.json`;
  const [one, two] = [openKeptCounters(file), openKeptCounters(file)].map((kept) => kept.of(KEY, kept.title, 0));
  const taken = Array.from({ length: 200 }, (_, at) => (at % 3 === 0 ? one! : two!).take(1));
  assert.equal(new Set(taken).size, taken.length);
});

test("a damaged file is refused, and not begun anew", () => {
  const file = `${directory}/d.json`;
  writeFileSync(file, '{"title":"4D4B43"}');
  assert.throws(() => openKeptCounters(file), { code: "counter-file-invalid", message: /--counter/ });
  assert.equal(readFileSync(file, "utf8"), '{"title":"4D4B43"}');
});

test("the file is where the user's state belongs", () => {
  assert.equal(keptCountersFile({ XDG_STATE_HOME: "/x" }), "/x/meterkeep/client.json");
  assert.match(keptCountersFile({}), /\.local\/state\/meterkeep\/client\.json$/);
});

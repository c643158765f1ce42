import assert from "node:assert/strict";
import { test } from "node:test";
import { type Mischief, mischief, parseMischief } from "./line-mischief.ts";

function lineWith(...kinds: (Mischief | undefined)[]) {
  const log: string[] = [];
  const plan = { drop: 10, delay: 10, reorder: 10, duplicate: 10, truncate: 10, reset: 10 };
  const draws = { drop: 0.05, delay: 0.15, reorder: 0.25, duplicate: 0.35, truncate: 0.45, reset: 0.55 };
  const later: (() => void)[] = [];
  const transmit = mischief(plan, {
    random: () => {
      const kind = kinds.shift();
      return kind === undefined ? 0.99 : draws[kind];
    },
    later: (work) => later.push(work),
  });
  const line = {
    send: (apdu: Uint8Array) => void log.push(`${apdu[0]}`),
    sendRaw: (octets: Uint8Array) => void log.push(`raw ${octets.length}`),
    drop: () => void log.push("drop"),
  };
  return { log, later, answer: (octet: number) => transmit(Uint8Array.of(octet), line) };
}

test("answers are dropped, doubled, overtaken, cut, delayed and lost with their connection", () => {
  const { log, later, answer } = lineWith(
    "drop",
    undefined,
    "duplicate",
    "reorder",
    undefined,
    "truncate",
    "reset",
    "delay",
  );
  for (const octet of [1, 2, 3, 4, 5, 6, 7, 8]) answer(octet);
  assert.deepEqual(log, ["2", "3", "3", "5", "4", "raw 9", "drop", "drop"]);
  for (const work of later) work();
  assert.equal(log.at(-1), "8");
});

test("a plan is read, and what it does not know is refused", () => {
  assert.deepEqual(parseMischief("drop=10,delay"), { drop: 10, delay: 100 });
  for (const text of ["", "burn=1", "drop=-1", "drop=x", "drop=101"])
    assert.throws(() => parseMischief(text), { code: "meter-mischief-unknown" });
});

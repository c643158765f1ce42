import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { consignment } from "../testing/carrier-contract.ts";
import { parseConsignment } from "./consignment-json.ts";

const octets = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const good = consignment("utility/north 1/0123abcd", 3, 5);

test("a consignment is read as it was written", () => {
  assert.deepEqual(parseConsignment(octets(good)), good);
});

test("what is no consignment is none, and numbers must rise", () => {
  const [first] = good.announcements;
  const bad: readonly unknown[] = [
    null,
    [],
    {},
    { ...good, origin: "a/b" },
    { ...good, announcements: [] },
    { ...good, announcements: [first, first] },
    { ...good, announcements: [{ ...first, sequence: 0 }] },
    { ...good, announcements: [{ ...first, sequence: 1.5 }] },
    { ...good, announcements: [{ ...first, kind: "anything" }] },
    { ...good, announcements: [{ ...first, meter: "x" }] },
    { ...good, announcements: [{ ...first, body: "\u0000" }] },
    { ...good, announcements: [{ ...first, at: -1 }] },
  ];
  for (const value of bad) assert.equal(parseConsignment(octets(value)), undefined, JSON.stringify(value));
  assert.equal(parseConsignment(Uint8Array.of(0xff, 0xfe)), undefined);
});

test("whatever comes, it is a consignment or it is not", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 400 }),
        fc.json().map((text) => new TextEncoder().encode(text)),
      ),
      (bytes) => {
        parseConsignment(bytes);
      },
    ),
    { numRuns: 2_000 },
  );
});

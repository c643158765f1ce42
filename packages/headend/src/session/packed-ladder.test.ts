import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LadderEntry } from "./ladder.ts";
import { packLadder, unpackLadder } from "./packed-ladder.ts";

const octets = fc.uint8Array({ maxLength: 40 });
const entry: fc.Arbitrary<LadderEntry> = fc
  .record({
    at: fc.integer({ min: 0, max: 4e12 }),
    toMeter: fc.boolean(),
    step: fc.string(),
    summary: fc.string({ unit: "binary" }),
    octets,
    plain: fc.option(octets, { nil: undefined }),
    protection: fc.constantFrom("authenticated", "confidential", "none"),
    evidence: fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }), { nil: undefined }),
  })
  .map(({ evidence, ...rest }) => ({ ...rest, ...(evidence === undefined ? {} : { evidence }) }));

test("a ladder comes out of its row as it went in", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 20 }), (ladder) => {
      assert.deepEqual(unpackLadder(packLadder(ladder)), ladder);
    }),
  );
});

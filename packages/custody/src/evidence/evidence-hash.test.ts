import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { OctetPlaces } from "../memory/octet-places.ts";
import { EVIDENCE_PLACE_BYTES, EvidenceHash } from "./evidence-hash.ts";

const LENGTHS = fc.oneof(
  fc.nat({ max: 100 }),
  fc.integer({ min: EVIDENCE_PLACE_BYTES - 12, max: EVIDENCE_PLACE_BYTES + 12 }),
  fc.nat({ max: 70_000 }),
);

test("the hash covers each APDU with its direction and length, however many of them wait to be hashed", () => {
  const places = new OctetPlaces(EVIDENCE_PLACE_BYTES);
  const said = fc.array(fc.record({ isSent: fc.boolean(), length: LENGTHS }), { maxLength: 24 });
  fc.assert(
    fc.property(said, fc.nat(), (apdus, looksAt) => {
      using evidence = new EvidenceHash(places);
      // Another's lies beside it.
      using other = new EvidenceHash(places);
      const whole = createHash("sha256");
      const counts = [0, 0];
      for (const [at, { isSent, length }] of apdus.entries()) {
        const octets = randomBytes(length);
        if (isSent) evidence.sent(octets);
        else evidence.received(octets);
        other.sent(octets);
        const header = Buffer.alloc(5);
        header.writeUInt8(isSent ? 0 : 1, 0);
        header.writeUInt32BE(length, 1);
        whole.update(header).update(octets);
        counts[isSent ? 0 : 1]! += 1;
        // Who looks in between changes nothing.
        if (looksAt % 24 === at) evidence.summary();
      }
      const [toMeter, fromMeter] = counts;
      assert.deepEqual(evidence.summary(), { toMeter, fromMeter, sha256: whole.digest("hex") });
    }),
    { numRuns: 300 },
  );
  assert.equal(places.size, 0, "given back");
});

test("what comes after a session's end is in nobody's evidence", () => {
  const places = new OctetPlaces(EVIDENCE_PLACE_BYTES);
  const ended = new EvidenceHash(places);
  ended.sent(new Uint8Array(10));
  ended[Symbol.dispose]();
  using next = new EvidenceHash(places);
  next.sent(Uint8Array.of(1));
  ended.received(new Uint8Array(3));
  ended[Symbol.dispose]();
  const told = createHash("sha256")
    .update(Uint8Array.of(0, 0, 0, 0, 1, 1))
    .digest("hex");
  assert.equal(next.summary().sha256, told);
});

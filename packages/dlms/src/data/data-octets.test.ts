import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { arbitraryFor } from "../codec/arbitrary.test.ts";
import { decode, encode } from "../codec/codec.ts";
import { Reader } from "../codec/reader.ts";
import { DecodeError } from "../errors.ts";
import { data } from "./data.ts";
import { dataOctets, skipData } from "./data-octets.ts";

test("any Data is passed over as it is read, to the octet", () => {
  fc.assert(
    fc.property(arbitraryFor(data.shape), (value) => {
      const octets = encode(data, value as never);
      assert.deepEqual(decode(dataOctets, octets), octets);
    }),
    { numRuns: 500 },
  );
});

test("what cannot be passed over cannot be read either, and ends where reading ends", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
      const skipped = new Reader(octets);
      const read = new Reader(octets);
      try {
        skipData(skipped);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
        assert.throws(() => data.decode(read), DecodeError);
        return;
      }
      try {
        data.decode(read);
      } catch (error) {
        // Texts and compact arrays are not looked into.
        assert.ok(error instanceof DecodeError);
        return;
      }
      assert.equal(read.offset, skipped.offset);
    }),
    { numRuns: 2000 },
  );
});

test("depth is limited where it is read as well", () => {
  const deep = Uint8Array.from([...Array.from({ length: 40 }, () => [2, 1]).flat(), 0]);
  assert.throws(() => decode(dataOctets, deep), { code: "too-deep" });
});

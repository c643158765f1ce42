import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { acseApdu } from "../acse/acse-apdu.ts";
import { arbitraryFor, assertRoundTrip } from "../codec/arbitrary.test.ts";
import { type Codec, decode, encode } from "../codec/codec.ts";
import { data } from "../data/data.ts";
import { DecodeError, DlmsError } from "../errors.ts";
import { apdu } from "./apdu.ts";

const CODECS: readonly (readonly [name: string, codec: Codec<unknown>])[] = [
  ["data", data],
  ["apdu", apdu],
  ["acse apdu", acseApdu],
];

for (const [name, codec] of CODECS) {
  test(`any ${name} that is written is read back`, () => assertRoundTrip(codec, 400));

  test(`any mutation of any ${name} gives a value or a DecodeError, in proportion to its octets`, () => {
    fc.assert(
      fc.property(mutated(codec), (bytes) => {
        let value: unknown;
        try {
          value = decode(codec, bytes);
        } catch (error) {
          assert.ok(error instanceof DecodeError, `not a DecodeError: ${String(error)}`);
          assert.ok(error.offset >= 0 && error.offset <= bytes.length, `offset ${error.offset} of ${bytes.length}`);
          return;
        }
        assert.ok(partsOf(value) <= 16 * bytes.length + 64, "more parts than the octets pay for");
        assertEncodable(codec, value);
      }),
      { numRuns: 800 },
    );
  });
}

test("any octets at all give a value or a DecodeError", () => {
  fc.assert(
    fc.property(fc.constantFrom(...CODECS), fc.uint8Array({ maxLength: 64 }), ([, codec], bytes) => {
      try {
        decode(codec, bytes);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

/** Valid octets with some changed, cut off, repeated or inserted. */
function mutated(codec: Codec<unknown>): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    kind: fc.constantFrom("set", "cut", "insert", "repeat"),
    at: fc.nat(),
    octet: fc.oneof(fc.constantFrom(0x00, 0x01, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff), fc.integer({ min: 0, max: 255 })),
  });
  return fc
    .tuple(arbitraryFor(codec.shape), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([value, changes]) => {
      let octets = [...encode(codec, value)];
      for (const { kind, at, octet } of changes) {
        const index = octets.length === 0 ? 0 : at % octets.length;
        if (kind === "set") octets[index] = octet;
        else if (kind === "cut") octets = octets.slice(0, index);
        else if (kind === "insert") octets.splice(index, 0, octet);
        else octets.push(...octets.slice(index));
      }
      return Uint8Array.from(octets);
    });
}

/** What was read can be written, save for what a reader accepts and a writer does not. */
function assertEncodable(codec: Codec<unknown>, value: unknown): void {
  try {
    encode(codec, value);
  } catch (error) {
    assert.fail(error instanceof DlmsError ? `cannot be written again: ${error.message}` : String(error));
  }
}

function partsOf(value: unknown): number {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return 1;
  let parts = 1;
  for (const part of Object.values(value)) parts += partsOf(part);
  return parts;
}

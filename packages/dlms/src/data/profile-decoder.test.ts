import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex } from "../bytes.ts";
import { decode, encode } from "../codec/codec.ts";
import { DecodeError } from "../errors.ts";
import { d } from "./d.ts";
import { data } from "./data.ts";
import { dateTimeAt, dateTimeOctets } from "./date-time.ts";
import { decodeProfile, ProfileDecoder, type ProfileDecoderOptions } from "./profile-decoder.ts";
import type { Data } from "./value.ts";

const START = Date.UTC(2026, 10, 21);
const clock = (instant: number): Data => ({
  type: "octet-string",
  value: encode(dateTimeOctets, dateTimeAt(instant, -60)),
});
const row = (...value: Data[]): Data => ({ type: "structure", value });
const energy = (value: number): Data => ({ type: "double-long-unsigned", value });
const NOTHING: Data = { type: "null-data", value: null };
const profileOf = (...value: Data[]) => encode(data, { type: "array", value });

interface Seen {
  readonly instants: number[];
  readonly numbers: number[];
}

function read(octets: Uint8Array, pieceBytes: number, options?: ProfileDecoderOptions): Seen {
  const seen: Seen = { instants: [], numbers: [] };
  const decoder = new ProfileDecoder((each) => {
    seen.instants.push(each.instant(0));
    seen.numbers.push(each.number(1));
  }, options);
  for (let at = 0; at < octets.length; at += pieceBytes) decoder.push(octets.slice(at, at + pieceBytes));
  decoder.end();
  return seen;
}

test("rows come as they are sent, however the octets are cut", () => {
  const octets = profileOf(...Array.from({ length: 40 }, (_, at) => row(clock(START + at * 900_000), energy(at * 7))));
  const wanted = {
    instants: Array.from({ length: 40 }, (_, at) => START + at * 900_000),
    numbers: Array.from({ length: 40 }, (_, at) => at * 7),
  };
  for (const pieceBytes of [1, 2, 7, 20, 1000]) assert.deepEqual(read(octets, pieceBytes), wanted, `${pieceBytes}`);
});

test("null-data is the value of the row before, and for the clock one period more", () => {
  const octets = profileOf(
    row(clock(START), energy(5)),
    row(NOTHING, energy(6)),
    row(NOTHING, NOTHING),
    row(clock(START + 7_200_000), NOTHING),
  );
  for (const pieceBytes of [1, 5, 100])
    assert.deepEqual(read(octets, pieceBytes, { capturePeriod: 900 }), {
      instants: [START, START + 900_000, START + 1_800_000, START + 7_200_000],
      numbers: [5, 6, 6, 6],
    });
  assert.deepEqual(decodeProfile(octets, { capturePeriod: 900 })[2], [clock(START + 1_800_000), energy(6)]);
  assert.deepEqual(decodeProfile(octets, { nullData: "null" })[2], [NOTHING, NOTHING]);
});

test("differences are added to the value before", () => {
  const octets = fromHex("0103 0201 0600000064 0201 1f05 0201 1cfd".replaceAll(" ", ""));
  assert.deepEqual(
    decodeProfile(octets).map(([value]) => value),
    [energy(100), energy(105), energy(102)],
  );
});

test("a compact array gives the same rows", () => {
  const cells = [1, 2, 3].map((value): Data => row(energy(value), { type: "long", value: -value }));
  const octets = encode(data, {
    type: "compact-array",
    value: { contents: { type: "structure", of: ["double-long-unsigned", "long"] }, items: cells },
  });
  assert.deepEqual(
    decodeProfile(octets),
    cells.map(({ value }) => value),
  );
});

test("any profile is read as its Data is, with null-data left as it is", () => {
  const cell = fc.oneof(
    fc.constant(NOTHING),
    fc.nat().map(energy),
    fc.integer({ min: -0x8000, max: 0x7fff }).map((value): Data => ({ type: "long", value })),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value): Data => ({ type: "long64-unsigned", value })),
    fc.uint8Array({ maxLength: 200 }).map((value): Data => ({ type: "octet-string", value })),
  );
  const rows = fc.array(fc.array(cell, { minLength: 1, maxLength: 6 }), { maxLength: 30 });
  fc.assert(
    fc.property(rows, (cells) => {
      const octets = profileOf(...cells.map((each) => row(...each)));
      assert.deepEqual(decodeProfile(octets, { nullData: "null" }), cells);
      assert.deepEqual(
        decode(data, octets).value,
        cells.map((value) => ({ type: "structure", value })),
      );
    }),
    { numRuns: 200 },
  );
});

test("what is no profile is refused where it stands, and what ends early is said to", () => {
  const refuse = (hex: string, code: string, offset?: number) =>
    assert.throws(
      () => decodeProfile(fromHex(hex)),
      (error) =>
        error instanceof DecodeError && error.code === code && (offset === undefined || error.offset === offset),
    );
  refuse("0600000001", "wrong-type", 0);
  refuse("0101 0101 00".replaceAll(" ", ""), "wrong-type", 2);
  refuse("010102010b", "wrong-type");
  refuse("0102020100", "truncated");
  refuse("1306050000000100000000", "wrong-length");
  assert.throws(() => decodeProfile(fromHex("01020100"), { maxRows: 1 }), { code: "too-many" });
  assert.deepEqual(decodeProfile(fromHex("0100")), []);
  assert.deepEqual(decodeProfile(fromHex("00")), []);
  assert.deepEqual(decodeProfile(fromHex("0101020111079999")), [[{ type: "unsigned", value: 7 }]]);
});

test("any octets in any pieces give rows or a DecodeError", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 6 }), fc.boolean(), (pieces, likely) => {
      const decoder = new ProfileDecoder((each) => each.value(0));
      try {
        if (likely) decoder.push(fromHex("0105"));
        for (const piece of pieces) decoder.push(piece);
        decoder.end();
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test("the typed codec and the decoder agree on what a row holds", () => {
  const octets = profileOf(row(energy(1), { type: "enum", value: 3 }));
  const typed = d.array(d.structure({ energy: d.doubleLongUnsigned, state: d.enum }));
  assert.deepEqual(decode(typed, octets), [{ energy: 1, state: 3 }]);
  assert.deepEqual(decodeProfile(octets), [[energy(1), { type: "enum", value: 3 }]]);
});

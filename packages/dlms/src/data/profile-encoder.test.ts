import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encode } from "../codec/codec.ts";
import { data } from "./data.ts";
import { dateTimeAt, dateTimeOctets } from "./date-time.ts";
import { decodeProfile } from "./profile-decoder.ts";
import { encodeProfile, type ProfileCells, type ProfileEncoding } from "./profile-encoder.ts";
import type { Data } from "./value.ts";

const START = Date.UTC(2026, 10, 21);
const PERIOD = 900;
const ENCODINGS: readonly ProfileEncoding[] = ["plain", "null-data", "compact-array"];

interface Row {
  readonly instant: number;
  readonly status: number;
  readonly energy: number;
}

function cellsOf(rows: readonly Row[]): ProfileCells & { readonly values: readonly Data[][] } {
  const values = rows.map(({ instant, status, energy }): Data[] => [
    { type: "octet-string", value: encode(dateTimeOctets, dateTimeAt(instant, 0)) },
    { type: "unsigned", value: status },
    { type: "double-long-unsigned", value: energy },
  ]);
  return {
    values,
    rows: rows.length,
    columns: 3,
    writeCell: (writer, row, column) => data.encode(writer, values[row]?.[column] as Data),
    isOnePeriodOn: (row, column) =>
      column === 0 && rows[row]?.instant === (rows[row - 1]?.instant ?? Number.NaN) + PERIOD * 1000,
  };
}

test("rows in every encoding are read as they were, gaps and standing clocks included", () => {
  const row = fc.record({ step: fc.constantFrom(0, 1, 1, 1, 2), status: fc.nat(2), energy: fc.nat(5) });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 40 }), fc.constantFrom(...ENCODINGS), (steps, encoding) => {
      let instant = START;
      const rows = steps.map(({ step, status, energy }) => {
        instant += step * PERIOD * 1000;
        return { instant, status, energy };
      });
      const cells = cellsOf(rows);
      assert.deepEqual(decodeProfile(encodeProfile(cells, encoding), { capturePeriod: PERIOD }), cells.values);
    }),
  );
});

test("each encoding is shorter than the plain one where there is little new", () => {
  const rows = Array.from({ length: 96 }, (_, at) => ({ instant: START + at * PERIOD * 1000, status: 0, energy: at }));
  const [plain, nulls, compact] = ENCODINGS.map((encoding) => encodeProfile(cellsOf(rows), encoding).length);
  assert.ok((nulls ?? 0) < (compact ?? 0) && (compact ?? 0) < (plain ?? 0), `${plain} ${nulls} ${compact}`);
});

test("rows of different types are not pressed into a compact array", () => {
  const values: readonly Data[] = [
    { type: "unsigned", value: 1 },
    { type: "null-data", value: null },
  ];
  const cells = {
    rows: 2,
    columns: 1,
    writeCell: (w: Parameters<typeof data.encode>[0], row: number) => data.encode(w, values[row] as Data),
  };
  assert.deepEqual(encodeProfile(cells, "compact-array"), encodeProfile(cells, "plain"));
});

import { equalBytes } from "../bytes.ts";
import { Writer } from "../codec/writer.ts";
import { DATA_TAGS } from "./value.ts";

/**
 * How the rows of a profile are written:
 *
 * - `plain`: an array of structures.
 * - `null-data`: the same, with null-data for what the row before has as well, and for a clock that is one capture period
 *   on (Blue Book 4.3.6).
 * - `compact-array`: the types once, then the values without their tags. Rows whose types differ cannot be written so and
 *   are written plain.
 */
export type ProfileEncoding = "plain" | "null-data" | "compact-array";

/** Rows to be written: their cells come from wherever they are kept. */
export interface ProfileCells {
  readonly rows: number;
  readonly columns: number;
  /** Writes a cell as Data, tag included. */
  writeCell(writer: Writer, row: number, column: number): void;
  /** Whether the clock in this column is one capture period after that of the row before; false unless given. */
  isOnePeriodOn?(row: number, column: number): boolean;
}

/** Writes the buffer of a profile. */
export function encodeProfile(cells: ProfileCells, encoding: ProfileEncoding = "plain"): Uint8Array {
  const compact = encoding === "compact-array" ? compactArray(cells) : undefined;
  if (compact !== undefined) return compact;
  const writer = new Writer(16 + cells.rows * cells.columns * 6);
  writer.unsigned8(DATA_TAGS.array);
  writer.length(cells.rows);
  const leavesOut = encoding === "null-data";
  const before: Uint8Array[] = [];
  for (let row = 0; row < cells.rows; row += 1) {
    writer.unsigned8(DATA_TAGS.structure);
    writer.length(cells.columns);
    for (let column = 0; column < cells.columns; column += 1)
      if (leavesOut) writeChange(writer, cells, row, column, before);
      else cells.writeCell(writer, row, column);
  }
  return writer.finish();
}

function writeChange(writer: Writer, cells: ProfileCells, row: number, column: number, before: Uint8Array[]): void {
  const cell = cellOctets(cells, row, column);
  const known = before[column];
  before[column] = cell;
  const implied = row > 0 && cells.isOnePeriodOn?.(row, column) === true;
  const same = known !== undefined && equalBytes(known, cell) && !isClock(cell);
  if (implied || same) writer.unsigned8(DATA_TAGS["null-data"]);
  else writer.octets(cell);
}

/** A clock that stands still must be written: left out it would have gone on. */
function isClock(cell: Uint8Array): boolean {
  return cell[0] === DATA_TAGS["date-time"] || (cell[0] === DATA_TAGS["octet-string"] && cell[1] === 12);
}

function compactArray(cells: ProfileCells): Uint8Array | undefined {
  if (cells.rows === 0) return undefined;
  const writer = new Writer(32 + cells.rows * cells.columns * 5);
  writer.unsigned8(DATA_TAGS["compact-array"]);
  writer.unsigned8(DATA_TAGS.structure);
  writer.length(cells.columns);
  const tags: number[] = [];
  for (let column = 0; column < cells.columns; column += 1) {
    const tag = cellOctets(cells, 0, column)[0] ?? DATA_TAGS["null-data"];
    if (NOT_SIMPLE.has(tag)) return undefined;
    tags.push(tag);
    writer.unsigned8(tag);
  }
  const start = writer.openField();
  for (let row = 0; row < cells.rows; row += 1)
    for (let column = 0; column < cells.columns; column += 1) {
      const cell = cellOctets(cells, row, column);
      if (cell[0] !== tags[column]) return undefined;
      writer.octets(cell.subarray(1));
    }
  writer.closeField(start);
  return writer.finish();
}

const NOT_SIMPLE: ReadonlySet<number> = new Set([DATA_TAGS.array, DATA_TAGS.structure, DATA_TAGS["compact-array"]]);

function cellOctets(cells: ProfileCells, row: number, column: number): Uint8Array {
  const writer = new Writer(16);
  cells.writeCell(writer, row, column);
  return writer.finish();
}

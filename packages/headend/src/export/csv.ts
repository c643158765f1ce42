import type { Cell, ExportableValue, ExportedMeter, ExportKind } from "./export-kind.ts";

/**
 * Exports as CSV (RFC 4180): a line a value, times RFC 3339 in UTC. A text of a meter that begins with `=`, `+`, `-`, `@`, `'` or a tab
 * has one `'` before it, so that no spreadsheet runs it: whoever takes one away has what it said. Numbers are as they are.
 */
export async function* asCsv<Value extends ExportableValue>(
  { columns }: Pick<ExportKind<Value>, "columns">,
  meters: AsyncIterable<ExportedMeter<Value>>,
): AsyncGenerator<string> {
  yield `${columns.map(({ name }) => name).join(",")}\r\n`;
  for await (const meter of meters) {
    let lines = "";
    for (const channel of meter.channels)
      for (const value of channel.values)
        lines += `${columns.map(({ cell, isForeign }) => fieldOf(cell(value, channel, meter), isForeign)).join(",")}\r\n`;
    yield lines;
  }
}

const FORMULA = /^[=+\-@'\t]/;
const QUOTED = /[",\r\n]/;

function fieldOf(cell: Cell, isForeign: true | undefined): string {
  if (typeof cell !== "string") return cell === null ? "" : cell instanceof Date ? cell.toISOString() : String(cell);
  const text = isForeign === true && FORMULA.test(cell) ? `'${cell}` : cell;
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

import type { Cell, ExportableValue, ExportedMeter, ExportKind } from "./export-kind.ts";

/** Exports as CSV (RFC 4180): a line a value, times RFC 3339 in UTC. */
export async function* asCsv<Value extends ExportableValue>(
  { columns }: Pick<ExportKind<Value>, "columns">,
  meters: AsyncIterable<ExportedMeter<Value>>,
): AsyncGenerator<string> {
  yield `${columns.map(({ name }) => name).join(",")}\r\n`;
  for await (const meter of meters) {
    let lines = "";
    for (const channel of meter.channels)
      for (const value of channel.values)
        lines += `${columns.map(({ cell }) => fieldText(cell(value, channel, meter))).join(",")}\r\n`;
    yield lines;
  }
}

function fieldText(cell: Cell): string {
  const text = cell === null ? "" : cell instanceof Date ? cell.toISOString() : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

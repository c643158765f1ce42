import type { ExportedMeter } from "./exported-meter.ts";

const HEADER = "meter,obis,unit,time,value,status,quality,protection,trust_at_capture,trust_now,decisive\r\n";

/** Intervals as CSV (RFC 4180): a line a value, times RFC 3339 in UTC at the end of the interval. */
export async function* intervalsAsCsv(meters: AsyncIterable<ExportedMeter>): AsyncGenerator<string> {
  yield HEADER;
  for await (const { systemTitle, trustNow, channels } of meters) {
    let lines = "";
    for (const { obis, unit, intervals } of channels)
      for (const one of intervals) {
        const fields = [
          systemTitle,
          obis,
          unit,
          new Date(one.at).toISOString(),
          one.value,
          one.status ?? "",
          one.quality,
          one.protection,
          one.trustAtCapture,
          trustNow,
          one.decisive,
        ];
        lines += `${fields.map(fieldText).join(",")}\r\n`;
      }
    yield lines;
  }
}

function fieldText(value: string | number | boolean): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

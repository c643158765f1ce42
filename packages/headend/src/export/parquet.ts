import { ByteWriter, ParquetWriter, schemaFromColumnData } from "hyparquet-writer";
import type { ExportedMeter } from "./exported-meter.ts";

const ROWS_A_GROUP = 100_000;

/** A column: its name, its type in Parquet, and how much of it repeats. */
const COLUMNS = [
  { name: "meter", type: "STRING" },
  { name: "obis", type: "STRING" },
  { name: "unit", type: "STRING" },
  { name: "time", type: "TIMESTAMP" },
  { name: "value", type: "DOUBLE" },
  { name: "status", type: "INT64" },
  { name: "quality", type: "STRING" },
  { name: "protection", type: "STRING" },
  { name: "trust_at_capture", type: "STRING" },
  { name: "trust_now", type: "STRING" },
  { name: "decisive", type: "BOOLEAN" },
] as const;

type Value = string | number | bigint | boolean | Date | null;

/** Intervals as Apache Parquet, a row a value as in the CSV; a row group is written as soon as it is full. */
export async function* intervalsAsParquet(meters: AsyncIterable<ExportedMeter>): AsyncGenerator<Uint8Array> {
  const bytes = new ByteWriter();
  let columns = emptyColumns();
  const sources = () =>
    COLUMNS.map(({ name, type }, at) => ({ name, type, data: columns[at] as Value[], nullable: name === "status" }));
  const parquet = new ParquetWriter({
    writer: bytes,
    schema: schemaFromColumnData({ columnData: sources() }),
    createdBy: "meterkeep",
  });
  const written = (): Uint8Array => {
    const octets = bytes.getBytes().slice();
    // The writer counts on; only what was handed over leaves its buffer.
    bytes.index = 0;
    return octets;
  };
  const flush = async (): Promise<Uint8Array> => {
    if ((columns[0] as Value[]).length > 0) await parquet.write({ columnData: sources(), rowGroupSize: ROWS_A_GROUP });
    columns = emptyColumns();
    return written();
  };
  for await (const meter of meters) {
    addMeter(columns, meter);
    if ((columns[0] as Value[]).length >= ROWS_A_GROUP) yield await flush();
  }
  yield await flush();
  await parquet.finish();
  yield written();
}

function emptyColumns(): Value[][] {
  return COLUMNS.map(() => []);
}

function addMeter(columns: readonly Value[][], { systemTitle, trustNow, channels }: ExportedMeter): void {
  for (const { obis, unit, intervals } of channels)
    for (const one of intervals) {
      const row: readonly Value[] = [
        systemTitle,
        obis,
        unit,
        new Date(one.at),
        one.value,
        one.status === undefined ? null : BigInt(one.status),
        one.quality,
        one.protection,
        one.trustAtCapture,
        trustNow,
        one.decisive,
      ];
      for (let at = 0; at < row.length; at += 1) (columns[at] as Value[]).push(row[at] as Value);
    }
}

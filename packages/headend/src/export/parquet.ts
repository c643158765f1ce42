import { ByteWriter, ParquetWriter, schemaFromColumnData } from "hyparquet-writer";
import type { Cell, ExportableValue, ExportedMeter, ExportKind } from "./export-kind.ts";

const ROWS_A_GROUP = 100_000;

/** Exports as Apache Parquet, a row a value as in the CSV; a row group is written as soon as it is full. */
export async function* asParquet<Value extends ExportableValue>(
  { columns }: Pick<ExportKind<Value>, "columns">,
  meters: AsyncIterable<ExportedMeter<Value>>,
): AsyncGenerator<Uint8Array> {
  const bytes = new ByteWriter();
  let group: Cell[][] = columns.map(() => []);
  let count = 0;
  const sources = () =>
    columns.map(({ name, type, nullable }, at) => ({
      name,
      type,
      data: group[at] as Cell[],
      nullable: nullable === true,
    }));
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
    if (count > 0) await parquet.write({ columnData: sources(), rowGroupSize: ROWS_A_GROUP });
    group = columns.map(() => []);
    count = 0;
    return written();
  };
  for await (const meter of meters) {
    for (const channel of meter.channels)
      for (const value of channel.values) {
        for (const [at, { cell }] of columns.entries()) (group[at] as Cell[]).push(cell(value, channel, meter));
        count += 1;
      }
    if (count >= ROWS_A_GROUP) yield await flush();
  }
  yield await flush();
  await parquet.finish();
  yield written();
}

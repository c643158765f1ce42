import type { ExportFormat, TableFormat } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import type { SqlPool } from "../database/sql.ts";
import { asCim } from "./cim.ts";
import { asCsv } from "./csv.ts";
import type { ExportableValue, ExportedMeter, ExportKind, ReadingKind } from "./export-kind.ts";
import { type ExportWindow, exportedMeters } from "./exported-meter.ts";
import { asParquet } from "./parquet.ts";

type Form = <Value extends ExportableValue>(
  kind: ExportKind<Value>,
  meters: AsyncIterable<ExportedMeter<Value>>,
) => AsyncGenerator<string | Uint8Array>;

const TABLES: Readonly<Record<TableFormat, Form>> = { csv: asCsv, parquet: asParquet };

/** Exports what meters said in a window in one of the forms; the octets come as they are made. */
export function exportAs<Value extends ExportableValue>(
  format: ExportFormat,
  kind: ReadingKind<Value>,
  pool: Pick<SqlPool, "connect">,
  scope: Scope,
  window: ExportWindow,
): AsyncGenerator<string | Uint8Array> {
  if (format !== "cim") return exportAsTable(format, kind, pool, scope, window);
  return asCim(kind, exportedMeters(kind, pool, scope, window));
}

/** The same as a table, whatever it is. */
export function exportAsTable<Value extends ExportableValue>(
  format: TableFormat,
  kind: ExportKind<Value>,
  pool: Pick<SqlPool, "connect">,
  scope: Scope,
  window: ExportWindow,
): AsyncGenerator<string | Uint8Array> {
  return TABLES[format](kind, exportedMeters(kind, pool, scope, window));
}

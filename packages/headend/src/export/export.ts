import type { ExportFormat } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import type { SqlPool } from "../database/sql.ts";
import { asCim } from "./cim.ts";
import { asCsv } from "./csv.ts";
import type { ExportableValue, ExportedMeter, ExportKind } from "./export-kind.ts";
import { type ExportWindow, exportedMeters } from "./exported-meter.ts";
import { asParquet } from "./parquet.ts";

type Form = <Value extends ExportableValue>(
  kind: ExportKind<Value>,
  meters: AsyncIterable<ExportedMeter<Value>>,
) => AsyncGenerator<string | Uint8Array>;

const FORMS: Readonly<Record<ExportFormat, Form>> = { csv: asCsv, parquet: asParquet, cim: asCim };

/** Exports what meters said in a window in one of the forms; the octets come as they are made. */
export function exportAs<Value extends ExportableValue>(
  format: ExportFormat,
  kind: ExportKind<Value>,
  pool: Pick<SqlPool, "connect">,
  scope: Scope,
  window: ExportWindow,
): AsyncGenerator<string | Uint8Array> {
  return FORMS[format](kind, exportedMeters(kind, pool, scope, window));
}

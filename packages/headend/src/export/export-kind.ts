import type { ProtectionGrade, Standing, TrustStateName } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import type { Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import type { Stretch } from "../reading/coverage.ts";

/** What every value that is exported has, whatever it is of. */
export interface ExportableValue {
  /** Milliseconds since 1970 UTC at the source. */
  readonly at: number;
  readonly value: number | string;
  readonly protection: ProtectionGrade;
  readonly trustAtCapture: TrustStateName;
  readonly standing: Standing;
}

/** One value as it goes out. */
export type Exported<Value extends ExportableValue> = Value & { readonly decisive: boolean };

/** What a meter says of one quantity, in the order of time. */
export interface ExportedChannel<Value> {
  readonly obis: string;
  /** Empty where it has none. */
  readonly unit: string;
  readonly values: readonly Value[];
}

/** A meter and what an export has of it, or of a month of it. */
export interface ExportedMeter<Value extends ExportableValue> {
  readonly systemTitle: string;
  readonly serialNumber: string | undefined;
  readonly periodSeconds: number;
  readonly trustNow: TrustStateName;
  readonly channels: readonly ExportedChannel<Exported<Value>>[];
}

/** Gives what is held of meters in a stretch, both ends included, in the order in which it goes out. */
export type ReadChannels<Value> = (
  meters: readonly MeterId[],
  stretch: Stretch,
) => Promise<ReadonlyMap<MeterId, readonly ExportedChannel<Value>[]>>;

/** What a table has in a place; null where there is nothing. */
export type Cell = string | number | bigint | boolean | Date | null;

/** A column of the CSV and the Parquet file: its name, its type in Parquet, and what stands in it. */
export interface ExportColumn<Value extends ExportableValue> {
  readonly name: string;
  readonly type: "STRING" | "TIMESTAMP" | "DOUBLE" | "INT64" | "BOOLEAN";
  readonly nullable?: true;
  /** Its texts come from meters: a CSV says them so that no spreadsheet takes one for a formula. */
  readonly isForeign?: true;
  readonly cell: (
    value: Exported<Value>,
    channel: ExportedChannel<Exported<Value>>,
    meter: ExportedMeter<Value>,
  ) => Cell;
}

/** Something that is exported: where it comes from, and what it is in each form. */
export interface ExportKind<Value extends ExportableValue> {
  /** Opens it at the moment of the export. */
  readonly open: (sql: Sql, scope: Scope) => Promise<ReadChannels<Value>>;
  readonly columns: readonly ExportColumn<Value>[];
  /** Of several values of one quantity and moment decisions use the first that they may. */
  readonly isOneAMoment?: true;
}

/** What is exported as CIM as well. */
export interface ReadingKind<Value extends ExportableValue> extends ExportKind<Value> {
  /** The elements of a CIM MeterReading that its values are in, and what one has beside its time, value and quality. */
  readonly cim:
    | { readonly element: "IntervalBlocks" }
    | { readonly element: "Readings"; readonly reportedAt: (value: Value) => number };
}

/** Whose and what it is, and when: the columns that each export begins with. */
export const FIRST_COLUMNS = [
  { name: "meter", type: "STRING", cell: (_value, _channel, { systemTitle }) => systemTitle },
  { name: "obis", type: "STRING", cell: (_value, { obis }) => obis },
  { name: "unit", type: "STRING", isForeign: true, cell: (_value, { unit }) => unit },
  { name: "time", type: "TIMESTAMP", cell: ({ at }) => new Date(at) },
] as const satisfies readonly ExportColumn<ExportableValue>[];

/** What it is worth: the columns that each export ends with. */
export const LAST_COLUMNS = [
  { name: "protection", type: "STRING", cell: ({ protection }) => protection },
  { name: "trust_at_capture", type: "STRING", cell: ({ trustAtCapture }) => trustAtCapture },
  { name: "trust_now", type: "STRING", cell: (_value, _channel, { trustNow }) => trustNow },
  { name: "decisive", type: "BOOLEAN", cell: ({ decisive }) => decisive },
] as const satisfies readonly ExportColumn<ExportableValue>[];

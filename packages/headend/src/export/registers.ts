import type { ProtectionGrade, TrustStateName } from "@meterkeep/api";
import { rows } from "../database/sql.ts";
import { standingsOf } from "../dispute/standings-of.ts";
import type { MeterId } from "../inventory/meter.ts";
import { type ExportableValue, FIRST_COLUMNS, LAST_COLUMNS, type ReadingKind } from "./export-kind.ts";

/** A register's value, of a day's end or of the moment in which it was read. */
export interface ExportableRegister extends ExportableValue {
  readonly status: string | undefined;
  readonly source: "session" | "push";
  /** Milliseconds since 1970 UTC on our clock. */
  readonly receivedAt: number;
  /** SHA-256 of the octets it rests on, hex. */
  readonly evidence: string;
}

/** Registers and daily values, one behind the other. Of what a meter has said otherwise of one moment decisions use the first that they may; all is there with `trust=all`. */
export const REGISTERS: ReadingKind<ExportableRegister> = {
  open:
    async (sql, scope) =>
    async (meters, { from, to }) => {
      const standings = await standingsOf(sql, scope, meters, from, to);
      const found = await rows<RegisterRow>(sql, SELECT_REGISTERS, [
        ...scope.place,
        meters,
        new Date(from),
        new Date(to),
      ]);
      const registerOf = (row: RegisterRow): ExportableRegister => {
        const at = row.at.getTime();
        return {
          at,
          value: row.number_value ?? row.text_value ?? "",
          status: row.status ?? undefined,
          source: row.source,
          receivedAt: row.received_at.getTime(),
          evidence: row.evidence,
          protection: row.protection,
          trustAtCapture: row.trust_at_capture,
          standing: standings.get(row.meter_id as MeterId)?.at(at, "registers", row.evidence_id) ?? "undisputed",
        };
      };
      const byMeter = Map.groupBy(found, ({ meter_id }) => meter_id as MeterId);
      return new Map(
        [...byMeter].map(([meter, of]) => [
          meter,
          [...Map.groupBy(of, ({ obis, unit }) => `${obis} ${unit}`).values()].map((values) => {
            const [{ obis, unit }] = values as [RegisterRow];
            return { obis, unit, values: values.map(registerOf) };
          }),
        ]),
      );
    },
  columns: [
    ...FIRST_COLUMNS,
    { name: "value", type: "DOUBLE", nullable: true, cell: ({ value }) => (typeof value === "number" ? value : null) },
    {
      name: "text",
      type: "STRING",
      nullable: true,
      isForeign: true,
      cell: ({ value }) => (typeof value === "string" ? value : null),
    },
    { name: "status", type: "STRING", nullable: true, cell: ({ status }) => status ?? null },
    { name: "standing", type: "STRING", cell: ({ standing }) => standing },
    { name: "source", type: "STRING", cell: ({ source }) => source },
    { name: "received", type: "TIMESTAMP", cell: ({ receivedAt }) => new Date(receivedAt) },
    { name: "evidence", type: "STRING", cell: ({ evidence }) => evidence },
    ...LAST_COLUMNS,
  ],
  isOneAMoment: true,
  cim: { element: "Readings", reportedAt: ({ receivedAt }) => receivedAt },
};

interface RegisterRow {
  readonly meter_id: number;
  readonly obis: string;
  readonly at: Date;
  readonly received_at: Date;
  readonly number_value: number | null;
  readonly text_value: string | null;
  readonly unit: string;
  readonly status: string | null;
  readonly source: "session" | "push";
  readonly evidence: string;
  readonly evidence_id: number;
  readonly protection: ProtectionGrade;
  readonly trust_at_capture: TrustStateName;
}

const SELECT_REGISTERS = `
  select r.meter_id, r.obis, r.at, r.received_at, r.number_value, r.text_value, coalesce(r.unit, '') as unit, r.status,
    r.source, encode(e.hash, 'hex') as evidence, r.evidence_id::float8 as evidence_id, r.protection, r.trust_at_capture
  from register_readings r
  join evidence e on (e.utility_id, e.island_id, e.evidence_id) = (r.utility_id, r.island_id, r.evidence_id)
  where r.utility_id = $1 and r.island_id = $2 and r.meter_id = any($3::integer[]) and r.at >= $4 and r.at <= $5
  order by r.meter_id, r.obis, r.at, r.evidence_id`;

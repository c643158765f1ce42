import type { Selection } from "@meterkeep/api";

/**
 * Condition on `m`, a row of meters, and what its parameters are from `$first` on: which meters a selection means. Groups are
 * those of the place in `$1` and `$2`.
 */
export function selectionOn(selection: Selection, first: number): { readonly sql: string; readonly values: unknown[] } {
  const at = `$${first}`;
  switch (selection.kind) {
    case "all":
      return { sql: `${at}::text is null`, values: [null] };
    case "feeder":
      return { sql: `m.feeder_id = ${at}`, values: [selection.feeder] };
    case "transformer":
      return { sql: `m.transformer_id = ${at}`, values: [selection.transformer] };
    case "profile":
      return { sql: `m.profile = ${at}`, values: [selection.profile] };
    case "model":
      return { sql: `m.model = ${at}`, values: [selection.model] };
    case "firmware":
      return { sql: `m.firmware = ${at}`, values: [selection.firmware] };
    case "group":
      return {
        sql: `exists (select 1 from meter_group_members g where (g.utility_id, g.island_id, g.meter_id)
          = (m.utility_id, m.island_id, m.meter_id) and g.name = ${at})`,
        values: [selection.group],
      };
    case "list":
      return {
        sql: `m.system_title = any(${at}::bytea[])`,
        values: [selection.meters.map((title) => Buffer.from(title, "hex"))],
      };
    default:
      return selection satisfies never;
  }
}

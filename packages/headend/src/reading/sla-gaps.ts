import type { SlaGapList } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import { optional } from "../view/time-text.ts";
import {
  gapsOf,
  intervalsIn,
  type StretchesJson,
  stretchesJson,
  stretchesOf,
  WANTED_PARAMETERS,
  wantedTable,
  wantedValues,
} from "./gaps.ts";
import { READ_METERS, type SlaDay, wantedOfDay } from "./sla.ts";

/** What is missing of a day, meter by meter, a page at a time. */
export async function slaGaps(
  sql: Sql,
  scope: Scope,
  day: SlaDay,
  page: { readonly after: number; readonly limit: number },
): Promise<SlaGapList> {
  const found = await rows<GapRow>(sql, SELECT_GAPS, [
    ...scope.place,
    day.kind,
    ...wantedValues(wantedOfDay(day)),
    page.after,
    page.limit + 1,
  ]);
  const shown = found.slice(0, page.limit);
  return {
    kind: day.kind,
    day: new Date(day.day).toISOString().slice(0, 10),
    meters: shown.map((row) => ({
      systemTitle: row.title,
      label: row.label,
      ...optional("feeder", row.feeder_id),
      missing: Number(row.missing),
      gaps: gapTexts(row.gaps),
      ...(Number(row.quality_missing) === 0
        ? {}
        : { quality: { missing: Number(row.quality_missing), gaps: gapTexts(row.quality_gaps) } }),
      ...optional("lastCode", row.last_code),
      attempts: row.attempts ?? 0,
      ...optional("dueAt", row.due_at?.toISOString()),
    })),
    ...(found.length > shown.length ? { next: String(shown.at(-1)?.meter_id) } : {}),
  };
}

function gapTexts(gaps: StretchesJson): { from: string; to: string }[] {
  return stretchesOf(gaps).map(({ from, to }) => ({
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
  }));
}

interface GapRow {
  readonly meter_id: number;
  readonly title: string;
  readonly label: string;
  readonly feeder_id: string | null;
  readonly missing: string;
  readonly gaps: StretchesJson;
  readonly quality_missing: string;
  readonly quality_gaps: StretchesJson;
  readonly last_code: string | null;
  readonly attempts: number | null;
  readonly due_at: Date | null;
}

const WANTED = 4;
/** The parameter that says where the page begins; how long it is comes behind it. */
const PAGE = WANTED + WANTED_PARAMETERS;

const SELECT_GAPS = `
  with ${wantedTable(WANTED)}, meter as (
    select m.utility_id, m.island_id, m.meter_id, upper(encode(m.system_title, 'hex')) as title, m.label, m.feeder_id,
      ${intervalsIn(gapsOf("load"), "load")} as missing, ${stretchesJson(gapsOf("load"))} as gaps,
      ${intervalsIn(gapsOf("quality"), "quality")} as quality_missing, ${stretchesJson(gapsOf("quality"))} as quality_gaps
    from ${READ_METERS} and t.phase = 'done' and w.profile is not null and m.meter_id > $${PAGE}
      and (not isempty(${gapsOf("load")}) or not isempty(${gapsOf("quality")}))
  )
  select meter.meter_id, title, label, feeder_id, missing, gaps, quality_missing, quality_gaps, last_code, attempts,
    case when due_at < 'infinity' then due_at end as due_at
  from meter left join work using (utility_id, island_id, meter_id)
  where missing > 0 or quality_missing > 0 order by meter.meter_id limit $${PAGE + 1}`;

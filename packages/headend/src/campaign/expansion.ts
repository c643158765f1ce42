import type { MeterKind, Selection } from "@meterkeep/api";
import { type Direction, flowOf, isRestoring, type TargetFacts } from "@meterkeep/guard";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import { isDecidedWhole } from "../dispute/standings-of.ts";
import type { MeterId } from "../inventory/meter.ts";
import { SCORE_LIMITS } from "../plausibility/rules.ts";
import { trustScores } from "../plausibility/write-findings.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import type { SourceClock } from "../time/source-clock.ts";
import { selectionOn } from "./selection.ts";

/** A meter that was selected, with what the guard wants to know of it; its account is asked for elsewhere. */
export interface Selected extends TargetFacts {
  readonly meter: MeterId;
  readonly profile: string;
  /** Why nothing is commanded there; undefined where it can be. */
  readonly leftOut: string | undefined;
}

interface Row {
  readonly meter_id: MeterId;
  readonly title: string;
  readonly kind: MeterKind;
  readonly profile: string;
  readonly feeder_id: string | null;
  readonly transformer_id: string | null;
  readonly power_w: number | null;
  readonly phase: string | null;
  readonly trust: string | null;
  readonly has_address: boolean;
  readonly protected_as: string | null;
  readonly last_at: Date | null;
  readonly today: string | null;
  readonly is_disputed: boolean;
}

/** The moment, here and at those who measure. */
export interface ExpandAt {
  readonly now: number;
  clockOf(kind: MeterKind): Pick<SourceClock, "atSource">;
}

/** What a bill rests on: a month, and some days of the next. */
const BILLED_DAYS = 35;

/** What a home draws, or feeds in, of which nobody has heard yet, in watts. */
export const UNKNOWN_LOAD_W = 1000;
/** Sources that are not believed get no command but the one that gives supply back. */
const NOT_BELIEVED: ReadonlySet<string> = new Set(["held", "quarantined", "distrusted", "retired"]);

/**
 * Expands a selection: who is meant, in the order of their system titles. Homes, and the meters of transformers where nothing
 * is switched: those have clocks, firmware and settings as well.
 */
export async function expand(
  sql: Sql,
  scope: Scope,
  selection: Selection,
  direction: Direction,
  { now, clockOf }: ExpandAt,
): Promise<readonly Selected[]> {
  const chosen = selectionOn(selection, 7);
  const found = await rows<Row>(sql, `${EXPAND} and ${chosen.sql} order by m.system_title`, [
    ...scope.place,
    new Date(now - DAY_MILLISECONDS),
    direction === "none" ? flowOf("off") : flowOf(direction),
    direction === "none",
    new Date(now - BILLED_DAYS * DAY_MILLISECONDS),
    ...chosen.values,
  ]);
  const scores = new Map<MeterId, number>();
  for (const [kind, meters] of Map.groupBy(found, ({ kind: of }) => of)) {
    const ids = meters.map(({ meter_id }) => meter_id);
    for (const [meter, score] of await trustScores(sql, scope, ids, clockOf(kind).atSource(now)))
      scores.set(meter, score);
  }
  // What injection there is to be lost, where it is about that.
  const sign = isOfInjection(direction) ? -1 : 1;
  const isDoubted = (meter: MeterId): boolean => (scores.get(meter) ?? 100) < SCORE_LIMITS.disputed;
  return found.map((row) => ({
    meter: row.meter_id,
    systemTitle: row.title,
    profile: row.profile,
    feeder: row.feeder_id ?? "",
    transformer: row.transformer_id ?? "",
    loadW: loadOf(row.power_w === null ? undefined : sign * row.power_w, isDoubted(row.meter_id)),
    protectedAs: row.protected_as ?? undefined,
    lastSwitchedAt: row.last_at?.getTime(),
    switchedToday: Number(row.today ?? 0),
    account: undefined,
    isDoubted: isDoubted(row.meter_id),
    isDisputed: row.is_disputed,
    leftOut: leftOut(row, direction),
  }));
}

/** MC-04: who is not believed counts for no less than somebody of whom nobody has heard. */
function loadOf(powerW: number | undefined, isDoubted: boolean): number {
  if (powerW === undefined) return UNKNOWN_LOAD_W;
  return Math.max(isDoubted ? UNKNOWN_LOAD_W : 0, Math.round(powerW));
}

/** Whether it is about what meters feed in, rather than what they draw. */
export function isOfInjection(direction: Direction): boolean {
  return direction === "feed-off" || direction === "feed-on";
}

function leftOut({ phase, trust, has_address }: Row, direction: Direction): string | undefined {
  if (phase !== "done") return "its keys have not been taken over";
  if (!has_address) return "nobody knows where it is reached";
  if (!isRestoring(direction) && trust !== null && NOT_BELIEVED.has(trust)) return `it is ${trust}`;
  return undefined;
}

const EXPAND = `
  select m.meter_id, m.kind, upper(encode(m.system_title, 'hex')) as title, m.profile, m.feeder_id, m.transformer_id, l.power_w,
    t.phase, tr.state::text as trust, m.route is not null as has_address, p.kind as protected_as, s.last_at, s.today,
    d.meter_id is not null as is_disputed
  from meters m
  left join meter_latest l using (utility_id, island_id, meter_id)
  left join takeovers t using (utility_id, island_id, meter_id)
  left join trust tr using (utility_id, island_id, meter_id)
  left join protected_sites p using (utility_id, island_id, meter_id)
  left join (
    select ct.meter_id, max(ct.attempted_at) as last_at, count(*) as today
    from campaign_targets ct join campaigns c using (utility_id, island_id, campaign_id)
    where ct.utility_id = $1 and ct.island_id = $2 and ct.attempted_at > $3 and c.direction = any($4::text[])
    group by ct.meter_id
  ) s on s.meter_id = m.meter_id
  left join (
    select distinct f.meter_id from plausibility_findings f
    where f.utility_id = $1 and f.island_id = $2 and f.meter_id is not null and f.disputes and f.found_at > $6
      and not ${isDecidedWhole("'accepted'")}
  ) d on d.meter_id = m.meter_id
  where m.utility_id = $1 and m.island_id = $2 and (m.role = 'home' or ($5 and m.role = 'transformer'))`;

import { capOf, commandRulesOf, loadCapW, pickupPerMinute, takesOff } from "@meterkeep/guard";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { LANES, type Lane } from "../work/lease.ts";
import { type CampaignRow, ttlOf } from "./campaign-rows.ts";
import type { FleetCensus } from "./fleet-census.ts";
import { fleetFacts } from "./fleet-facts.ts";
import type { Holding } from "./proposal.ts";

/** So many a look are made due at once, and of batches no more wait for their turn. */
const MOST_DISPATCHED = 500;
/** What switches nothing on more meters than this is a batch. */
const MOST_ON_DEMAND = 100;
/** More load than any island has: no bound. */
const UNBOUNDED_W = 2 ** 53;

interface Dispatching {
  readonly sql: Sql;
  readonly scope: Scope;
  readonly census: FleetCensus;
}

/** In which lane meters wait for a campaign: what is asked of a few, and whatever switches, waits behind no batch. */
export function laneOf(row: Pick<CampaignRow, "direction" | "targets">): Lane {
  return isBatch(row) ? LANES.takeover : LANES.onDemand;
}

/** The same of a campaign `c`. */
export const IS_BATCH = `(c.direction = 'none' and c.targets > ${MOST_ON_DEMAND})`;

function isBatch({ direction, targets }: Pick<CampaignRow, "direction" | "targets">): boolean {
  return direction === "none" && targets > MOST_ON_DEMAND;
}

/** How much more may be taken off now, by all campaigns together. */
interface Room {
  readonly meters: number;
  readonly loadW: number;
  /** Nothing has been taken off: one meter may go, be it heavier than the cap. */
  readonly isFirst: boolean;
}

/**
 * Makes those due whose time has come, as many as the caps leave over all campaigns (MC-02, MC-04, MC-15), and of batches as many
 * as are served; the others wait and do not grow stale by it. Gives the meters that somebody has to see to. Inside the caller's transaction.
 */
export async function dispatch(on: Dispatching, row: CampaignRow, holding: Holding, now: number): Promise<MeterId[]> {
  const { sql, scope } = on;
  const wave = [...scope.place, row.campaign_id, row.wave, new Date(now)];
  // Each campaign reads what the others have sent: one after the other, whoever runs them.
  await sql.query("select pg_advisory_xact_lock(hashtextextended('dispatch ' || $1 || '/' || $2, 0))", [
    ...scope.place,
  ]);
  if (takesOff(row.direction)) {
    const { meters, loadW, isFirst } = await roomOf(on, row, holding, now);
    if (meters > 0) await sql.query(DISPATCH_WITHIN_LOAD, [...wave, Math.min(meters, MOST_DISPATCHED), loadW, isFirst]);
  } else if (row.direction === "on" || row.direction === "feed-on") {
    // Homes of which nobody said where they are count as of one transformer.
    const homes = new Map<string, number>();
    for (const { transformer = "", meters } of await on.census.parts())
      homes.set(transformer, (homes.get(transformer) ?? 0) + meters);
    await sql.query(DISPATCH_BY_TRANSFORMER, [
      ...wave,
      MOST_DISPATCHED,
      row.direction,
      [...homes.keys()],
      [...homes.values()].map(pickupPerMinute),
    ]);
  } else {
    const waiting = isBatch(row) ? await waitingInBatches(on, now) : 0;
    const most = Math.max(0, MOST_DISPATCHED - waiting);
    await sql.query(DISPATCH_WITHIN_LOAD, [...wave, most, UNBOUNDED_W, true]);
  }
  await sql.query(
    `update campaign_targets set expires_at = $5::timestamptz + make_interval(secs => $6), due_at = $5
     where utility_id = $1 and island_id = $2 and campaign_id = $3 and wave = $4 and state = 'waiting' and due_at <= $5`,
    [...wave, ttlOf(row, holding.thresholds)],
  );
  const dispatched = await rows<{ readonly meter_id: MeterId }>(
    sql,
    `select meter_id from campaign_targets ct left join work w using (utility_id, island_id, meter_id)
     where ct.utility_id = $1 and ct.island_id = $2 and ct.campaign_id = $3 and ct.state = 'dispatched'
       and w.leased_by is null and (w.on_demand is distinct from 'command' or w.lane > $4)`,
    [...scope.place, row.campaign_id, laneOf(row)],
  );
  return dispatched.map(({ meter_id }) => meter_id);
}

/** Meters that are due for a batch and that nobody has a place for. Whose way is spared is not due, and keeps no other from its turn. */
async function waitingInBatches({ sql, scope }: Dispatching, now: number): Promise<number> {
  const waiting = await firstRow<{ count: string }>(
    sql,
    `select count(*) from campaign_targets ct join campaigns c using (utility_id, island_id, campaign_id)
       join work w using (utility_id, island_id, meter_id)
     where ct.utility_id = $1 and ct.island_id = $2 and ct.state = 'dispatched' and ${IS_BATCH}
       and w.leased_by is null and w.due_at <= $3`,
    [...scope.place, new Date(now)],
  );
  return Number(waiting?.count ?? 0);
}

/** MC-02 and MC-04 as they stand now. */
async function roomOf(
  { sql, scope, census }: Dispatching,
  { direction }: Pick<CampaignRow, "direction">,
  { thresholds, frozen, capsLifted }: Holding,
  now: number,
): Promise<Room> {
  const held = { frozen, clockTrouble: undefined };
  const fleet = await fleetFacts({ sql, scope, census }, now, held, direction);
  const sent = await firstRow<{ count: string; load: string }>(
    sql,
    `select count(*) as count, coalesce(sum(ct.load_w), 0) as load
     from campaign_targets ct join campaigns c using (utility_id, island_id, campaign_id)
     where ct.utility_id = $1 and ct.island_id = $2 and ct.state = 'dispatched' and c.direction = $3`,
    [...scope.place, direction],
  );
  const used = fleet.off.tenMinutes + Number(sent?.count ?? 0);
  const usedW = fleet.off.loadInTenMinutesW + Number(sent?.load ?? 0);
  const rules = commandRulesOf(thresholds);
  if (fleet.signChanges > rules.signChanges) return { meters: 0, loadW: 0, isFirst: false };
  if (capsLifted) return { meters: MOST_DISPATCHED, loadW: UNBOUNDED_W, isFirst: true };
  return {
    meters: Math.max(0, capOf(thresholds.offPerTenMinutes, fleet.meters) - used),
    loadW: Math.max(0, Math.floor(loadCapW(fleet.loadW, rules) - usedW)),
    isFirst: used === 0,
  };
}

const DUE = `ct.utility_id = $1 and ct.island_id = $2 and ct.campaign_id = $3 and ct.wave = $4 and ct.state = 'waiting'
  and ct.due_at <= $5`;

const DISPATCH_WITHIN_LOAD = `
  update campaign_targets set state = 'dispatched' where utility_id = $1 and island_id = $2 and campaign_id = $3
    and meter_id in (
      select meter_id from (
        select meter_id, row_number() over earliest as number, sum(load_w::bigint) over earliest as load
        from campaign_targets ct where ${DUE} window earliest as (order by due_at, meter_id)
      ) as due where number <= $6 and (load <= $7::bigint or (number = 1 and $8)))`;

// From then on its due time is when it was handed out: a meter that nobody reaches holds up its neighbours for a minute.
const DISPATCH_BY_TRANSFORMER = `
  update campaign_targets set state = 'dispatched', due_at = $5 where utility_id = $1 and island_id = $2 and campaign_id = $3
    and meter_id in (
      select meter_id from (
        select meter_id, due_at, transformer, row_number() over (partition by transformer order by due_at, meter_id) as number
        from campaign_targets ct where ${DUE}
      ) as due
      left join unnest($8::text[], $9::integer[]) as pace (transformer, a_minute) using (transformer)
      left join (
        select ct.transformer, count(*) as count
        from campaign_targets ct join campaigns c using (utility_id, island_id, campaign_id)
        where ct.utility_id = $1 and ct.island_id = $2 and c.direction = $7
          and coalesce(ct.attempted_at, case when ct.state = 'dispatched' then ct.due_at end)
            > $5::timestamptz - interval '1 minute'
        group by 1
      ) as back using (transformer)
      where number <= coalesce(a_minute, $6) - coalesce(back.count, 0)
      order by due_at, meter_id limit $6)`;

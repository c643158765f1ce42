import { type Direction, type FleetFacts, flowOf, type PartFacts, type PrincipalFacts } from "@meterkeep/guard";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import { isOfInjection } from "./expansion.ts";
import type { FleetCensus } from "./fleet-census.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The fleet and what was done to it, or is on its way: to its load, or to its injection where the direction is of that. */
export async function fleetFacts(
  { sql, scope, census }: { readonly sql: Sql; readonly scope: Scope; readonly census: Pick<FleetCensus, "parts"> },
  now: number,
  held: Pick<FleetFacts, "frozen" | "clockTrouble">,
  direction: Direction,
): Promise<FleetFacts> {
  const isFeed = isOfInjection(direction);
  const cut: Direction = isFeed ? "feed-off" : "off";
  const [parts, offs, off, swings] = await Promise.all([
    census.parts(),
    rows<OffPartRow>(sql, OFF_PARTS, [...scope.place, cut, at(now - HOUR), at(now - 10 * MINUTE)]),
    firstRow<OffRow>(sql, OFF, [
      ...scope.place,
      cut,
      at(now - 10 * MINUTE),
      at(now - DAY_MILLISECONDS),
      at(now - 30 * DAY_MILLISECONDS),
    ]),
    signChanges(sql, scope, now, cut),
  ]);
  const transformers = new Map<string, PartFacts>();
  const feeders = new Map<string, PartFacts>();
  let [meters, loadW] = [0, 0];
  for (const part of parts) {
    meters += part.meters;
    loadW += isFeed ? part.feedW : part.loadW;
    add(feeders, part.feeder, { meters: part.meters });
    add(transformers, part.transformer, { meters: part.meters, ratedW: part.ratedW });
  }
  for (const { feeder, transformer, hour, load } of offs) {
    const done = { offInHour: Number(hour), offLoadInTenMinutesW: Number(load) };
    add(feeders, feeder, done);
    add(transformers, transformer, done);
  }
  return {
    meters,
    loadW: Math.round(loadW),
    off: {
      tenMinutes: Number(off?.ten ?? 0),
      day: Number(off?.day ?? 0),
      month: Number(off?.month ?? 0),
      loadInTenMinutesW: Number(off?.ten_load ?? 0),
    },
    transformers,
    feeders,
    signChanges: swings,
    ...held,
  };
}

/** MC-06: how often the direction has changed between the commands of the last five minutes. */
export async function signChanges(sql: Sql, scope: Scope, now: number, direction: Direction): Promise<number> {
  const row = await firstRow<{ changes: string }>(sql, SIGN_CHANGES, [
    ...scope.place,
    at(now - 5 * MINUTE),
    flowOf(direction),
  ]);
  return Number(row?.changes ?? 0);
}

function add(parts: Map<string, PartFacts>, id: string | undefined, more: Partial<PartFacts>): void {
  if (id === undefined || id === "") return;
  const known = parts.get(id);
  parts.set(id, {
    meters: (known?.meters ?? 0) + (more.meters ?? 0),
    ratedW: known?.ratedW ?? more.ratedW,
    offInHour: (known?.offInHour ?? 0) + (more.offInHour ?? 0),
    offLoadInTenMinutesW: (known?.offLoadInTenMinutesW ?? 0) + (more.offLoadInTenMinutesW ?? 0),
  });
}

/**
 * What somebody is used to ask for. What was quarantined is no habit, and what was asked for within a day is none yet, unless
 * another person released it: one command for one meter would else make way for the next one for many (MC-16).
 */
export async function principalFacts(
  sql: Sql,
  scope: Scope,
  { name, network = "" }: { readonly name: string; readonly network?: string },
  now: number,
): Promise<PrincipalFacts> {
  const hours = await rows<HabitRow>(sql, HABIT, [
    ...scope.place,
    name,
    at(now - 28 * DAY_MILLISECONDS),
    at(now),
    at(now - DAY_MILLISECONDS),
  ]);
  const settled = hours.filter((row) => row.settled);
  return {
    hours: hours.filter((row) => !row.now).map(({ meters }) => Number(meters)),
    thisHour: Number(hours.find((row) => row.now)?.meters ?? 0),
    operations: new Set(settled.flatMap(({ operations }) => operations)),
    hoursOfDay: new Set(settled.map(({ hour }) => hour.getUTCHours())),
    networks: new Set(settled.flatMap(({ networks }) => networks).filter((each) => each !== "")),
    network,
  };
}

interface HabitRow {
  readonly hour: Date;
  readonly meters: string;
  /** Of what is habit. */
  readonly operations: readonly string[];
  readonly networks: readonly string[];
  /** Whether something of this hour is habit. */
  readonly settled: boolean;
  readonly now: boolean;
}

interface OffPartRow {
  readonly feeder: string;
  readonly transformer: string;
  readonly hour: string;
  readonly load: string;
}

interface OffRow {
  readonly ten: string;
  readonly day: string;
  readonly month: string;
  readonly ten_load: string;
}

const at = (milliseconds: number): Date => new Date(milliseconds);

/** A target that was switched off, or that will be if nobody stops it. */
const OFF_TARGETS = `campaign_targets ct join campaigns c using (utility_id, island_id, campaign_id)
  where ct.utility_id = $1 and ct.island_id = $2 and c.direction = $3`;
const ON_ITS_WAY = `(ct.attempted_at is null and ct.state in ('waiting', 'dispatched')
  and c.state in ('awaiting-approval', 'running', 'paused'))`;

const OFF_PARTS = `
  select ct.feeder, ct.transformer, count(*) as hour,
    coalesce(sum(ct.load_w) filter (where ct.attempted_at > $5 or ${ON_ITS_WAY}), 0) as load
  from ${OFF_TARGETS} and (ct.attempted_at > $4 or ${ON_ITS_WAY})
  group by 1, 2`;

const OFF = `
  select count(*) filter (where ct.attempted_at > $4) as ten,
    coalesce(sum(ct.load_w) filter (where ct.attempted_at > $4), 0) as ten_load,
    count(*) filter (where ct.attempted_at > $5 or ct.attempted_at is null) as day,
    count(*) as month
  from ${OFF_TARGETS} and (ct.attempted_at > $6 or ${ON_ITS_WAY})`;

const SIGN_CHANGES = `
  select count(*) filter (where before <> direction) as changes from (
    select c.direction, lag(c.direction) over (order by ct.attempted_at, ct.meter_id) as before
    from campaign_targets ct join campaigns c using (utility_id, island_id, campaign_id)
    where ct.utility_id = $1 and ct.island_id = $2 and c.direction = any($4::text[]) and ct.attempted_at > $3
  ) moves`;

/** The day is over in which somebody else could have looked at it, or somebody has. */
const IS_HABIT = "(created_at < $6 or released_by is not null)";

const HABIT = `
  select date_trunc('hour', created_at) as hour, sum(targets) as meters,
    coalesce(array_agg(distinct operation) filter (where ${IS_HABIT}), '{}') as operations,
    coalesce(array_agg(distinct network) filter (where ${IS_HABIT}), '{}') as networks,
    bool_or(${IS_HABIT}) as settled,
    date_trunc('hour', created_at) = date_trunc('hour', $5::timestamptz) as now
  from campaigns
  where utility_id = $1 and island_id = $2 and requester = $3 and created_at > $4 and state <> 'quarantined'
    and command_class <> 'C0'
  group by 1 order by 1`;

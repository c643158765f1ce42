import type { MeterKind } from "@meterkeep/api";
import { inTransaction } from "@meterkeep/postgres";
import type { Scope } from "../../database/scope.ts";
import { rows, type Sql, type SqlPool } from "../../database/sql.ts";
import type { MeterId } from "../../inventory/meter.ts";
import { findMeterProfile } from "../../profile/meter-profile.ts";
import { DAY_MILLISECONDS } from "../../time/day.ts";
import type { ArrivedInterval } from "../arrived-interval.ts";
import { insertCorrections } from "../corrections.ts";
import { intervalOfRow, SINGLE_COLUMNS, type SingleRow } from "../single-row.ts";
import { dayOf, dayRow, dayText, type HeldInterval, intervalsOf, isOnGrid } from "./day-row.ts";
import { type DayKey, deleteDays, ensureMonths, insertDays, type MeterDayRow } from "./day-store.ts";

export interface PackPorts {
  readonly pool: SqlPool;
  readonly scope: Scope;
  /** Milliseconds since 1970 UTC as the sources of that kind have it. */
  sourceNow(kind: MeterKind): number;
}

/** After a day has ended at the source it stays open for what comes late by so much. */
export const OPEN_FOR_MILLISECONDS = 2 * 3_600_000;

/** Meters a transaction packs: it holds no lock that a session waits for, and a day of them fits into memory. */
const METERS_AT_ONCE = 500;

/** SQLSTATE serialization_failure. */
const SERIALIZATION_FAILURE = "40001";

/** Start of the first UTC day that is still open when it is `sourceNow` at the source, milliseconds since 1970. */
export function firstOpenDay(sourceNow: number): number {
  return Math.floor((sourceNow - OPEN_FOR_MILLISECONDS) / DAY_MILLISECONDS) * DAY_MILLISECONDS;
}

/**
 * Packs the days that have ended (ADR 0023), meter by meter in the order of their numbers, and says how many. What a crash
 * breaks off is gone on with the next time: a day is either packed and its single rows are gone, or neither.
 */
export async function packDays(ports: PackPorts, signal?: AbortSignal): Promise<number> {
  const { pool, scope } = ports;
  let packed = 0;
  for (let after = 0; signal?.aborted !== true; ) {
    const meters = await rows<PackedMeter>(pool, NEXT_METERS, [...scope.place, after, METERS_AT_ONCE]);
    const last = meters.at(-1);
    if (last === undefined) break;
    packed += await packGroup(ports, meters);
    after = last.meter_id;
  }
  return packed;
}

async function packGroup({ pool, scope, sourceNow }: PackPorts, meters: readonly PackedMeter[]): Promise<number> {
  const periods = new Map<number, number>();
  for (const { meter_id, profile } of meters) {
    const period = findMeterProfile(profile)?.loadProfile.periodSeconds;
    if (period !== undefined && DAY_MILLISECONDS % (period * 1000) === 0) periods.set(meter_id, period);
  }
  if (periods.size === 0) return 0;
  const ended = (kind: MeterKind): Date => new Date(firstOpenDay(sourceNow(kind)));
  const until = meters.filter(({ meter_id }) => periods.has(meter_id));
  const bounds = [until.map(({ meter_id }) => meter_id), until.map(({ kind }) => ended(kind))];
  const work = inTransaction(pool, async (sql) => {
    // A value that comes in from here on is not seen, hence not deleted: it stays what it is.
    await sql.query("set transaction isolation level repeatable read");
    const open = new OpenDays(periods);
    for (const row of await rows<PartRow>(sql, SELECT_PARTS, [
      ...scope.place,
      bounds[0],
      until.map(({ kind }) => dayText(ended(kind).getTime())),
    ]))
      open.addPart(row);
    for (const row of await rows<SingleRow>(sql, SELECT_SINGLES, [...scope.place, ...bounds])) open.addSingle(row);
    const days = open.closed();
    if (days.length === 0) return 0;
    await ensureMonths(
      sql,
      days.map(({ day }) => day),
    );
    const added = await insertDays(sql, scope, days);
    await deleteSingles(sql, scope, added, periods);
    await deleteDays(sql, scope, open.partsOf(added));
    await insertCorrections(sql, scope, open.contradictionsOf(added));
    return added.length;
  });
  // A session wrote one of these days meanwhile, or retention took some of their values: the next pass sees it.
  return work.catch((error: { code?: unknown }) => {
    if (error.code === SERIALIZATION_FAILURE) return 0;
    throw error;
  });
}

/** What there is of days that have ended and are not closed yet. Of two values for one instant the first counts. */
class OpenDays {
  readonly #periods: ReadonlyMap<number, number>;
  readonly #days = new Map<string, OpenDay>();

  constructor(periods: ReadonlyMap<number, number>) {
    this.#periods = periods;
  }

  addPart({ meter_id, day, part, packed }: PartRow): void {
    const open = this.#dayOf(meter_id as MeterId, day);
    open.parts.push({ meter: open.meter, day, part });
    for (const interval of intervalsOf(day, packed)) open.add(interval);
  }

  addSingle(row: SingleRow): void {
    const meter = row.meter_id as MeterId;
    if (!isOnGrid(row.at, this.#periods.get(meter) as number)) return;
    this.#dayOf(meter, dayOf(row.at)).add(intervalOfRow(row));
  }

  /** The rows that close the days. */
  closed(): MeterDayRow[] {
    return [...this.#days.values()].map(({ meter, day, intervals }) => ({
      meter,
      ...dayRow(day, this.#periods.get(meter) as number, [...intervals.values()], "closed"),
    }));
  }

  /** What contradicts these days: two that wrote at the same time said so of one instant. */
  contradictionsOf(days: readonly DayKey[]): readonly ArrivedInterval[] {
    return days.flatMap(({ meter, day }) =>
      this.#dayOf(meter, day).contradictions.map((interval) => ({ meter, ...interval })),
    );
  }

  /** The parts that went into these days. */
  partsOf(days: readonly DayKey[]): readonly DayKey[] {
    return days.flatMap(({ meter, day }) => this.#dayOf(meter, day).parts);
  }

  #dayOf(meter: MeterId, day: number): OpenDay {
    const key = `${meter} ${day}`;
    let open = this.#days.get(key);
    if (open === undefined) {
      open = new OpenDay(meter, day);
      this.#days.set(key, open);
    }
    return open;
  }
}

class OpenDay {
  readonly meter: MeterId;
  readonly day: number;
  readonly parts: DayKey[] = [];
  readonly intervals = new Map<string, HeldInterval>();
  readonly contradictions: HeldInterval[] = [];

  constructor(meter: MeterId, day: number) {
    this.meter = meter;
    this.day = day;
  }

  add(interval: HeldInterval): void {
    const key = `${interval.channel} ${interval.at}`;
    const held = this.intervals.get(key);
    if (held === undefined) this.intervals.set(key, interval);
    else if (held.value !== interval.value) this.contradictions.push(interval);
  }
}

async function deleteSingles(
  sql: Sql,
  scope: Scope,
  days: readonly { readonly meter: MeterId; readonly day: number }[],
  periods: ReadonlyMap<number, number>,
): Promise<void> {
  await sql.query(DELETE_PACKED, [
    ...scope.place,
    days.map(({ meter }) => meter),
    days.map(({ day }) => new Date(day)),
    days.map(({ day }) => new Date(day + DAY_MILLISECONDS)),
    days.map(({ meter }) => periods.get(meter)),
  ]);
}

interface PackedMeter {
  readonly meter_id: number;
  readonly kind: MeterKind;
  readonly profile: string;
}
interface PartRow {
  readonly meter_id: number;
  readonly day: number;
  readonly part: number;
  readonly packed: Buffer;
}
const NEXT_METERS = `
  select meter_id, kind, profile from meters where utility_id = $1 and island_id = $2 and meter_id > $3
  order by meter_id limit $4`;

// A day that is closed takes nothing more: its parts are what came late.
const SELECT_PARTS = `
  select d.meter_id, extract(epoch from d.day)::float8 * 1000 as day, d.part, d.packed
  from unnest($3::integer[], $4::date[]) as w(meter_id, until)
  join meter_days d on d.utility_id = $1 and d.island_id = $2 and d.meter_id = w.meter_id and d.day < w.until and d.part > 0`;

const SELECT_SINGLES = `
  select ${SINGLE_COLUMNS}
  from unnest($3::integer[], $4::timestamptz[]) as w(meter_id, until)
  join interval_readings r
    on r.utility_id = $1 and r.island_id = $2 and r.meter_id = w.meter_id and r.at <= w.until`;

const DELETE_PACKED = `
  delete from interval_readings r
  using unnest($3::integer[], $4::timestamptz[], $5::timestamptz[], $6::integer[]) as p(meter_id, from_at, to_at, period)
  where r.utility_id = $1 and r.island_id = $2 and r.meter_id = p.meter_id and r.at > p.from_at and r.at <= p.to_at
    and extract(epoch from r.at)::numeric % p.period = 0`;

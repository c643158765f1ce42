import type { IntervalQuality, ProtectionGrade, Standing } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import { Standings } from "../dispute/standing.ts";
import { dateOr, standingsOf } from "../dispute/standings-of.ts";
import type { MeterId } from "../inventory/meter.ts";
import { dayOf, type HeldInterval, intervalsOf } from "./day/day-row.ts";
import { daysBetween } from "./day/day-store.ts";
import { intervalOfRow, SINGLE_COLUMNS, type SingleRow } from "./single-row.ts";

/** A value that is held, and what is to be said of it. */
export interface QualifiedInterval extends HeldInterval {
  readonly quality: IntervalQuality;
  readonly standing: Standing;
}

/**
 * The intervals of meters that end in `[from, to]` (milliseconds since 1970 UTC at the source; open where absent), of packed
 * days and of single rows, in no order. Each channel has one value an instant: the one that was there first.
 */
export async function heldIntervals(
  sql: Sql,
  scope: Scope,
  meters: readonly MeterId[],
  from: number | undefined,
  to: number | undefined,
): Promise<ReadonlyMap<MeterId, readonly QualifiedInterval[]>> {
  const bounds = [...scope.place, meters, dateOr(from, "-infinity"), dateOr(to, "infinity")];
  const standings = await standingsOf(sql, scope, meters, from, to);
  const held = new Map(meters.map((meter) => [meter, new Held(from, to, standings.get(meter))]));
  for (const row of await rows<DisputeRow>(sql, SELECT_DISPUTES, bounds))
    held.get(row.meter_id as MeterId)?.dispute(row);
  const [first, last] = [from === undefined ? undefined : dayOf(from), to === undefined ? undefined : dayOf(to)];
  // Looked for before the days, into which they may be packed meanwhile: what is found twice counts once.
  const singles = await rows<SingleRow>(sql, SELECT_SINGLES, bounds);
  for (const { meter, day, part, packed } of await daysBetween(sql, scope, meters, first, last))
    held.get(meter)?.addDay(day, part, packed);
  for (const row of singles) held.get(row.meter_id as MeterId)?.addSingle(row);
  return new Map([...held].map(([meter, { intervals }]) => [meter, [...intervals.values()]]));
}

/** One meter's intervals as they are put together: closed days first, then what came beside them. */
class Held {
  readonly intervals = new Map<string, QualifiedInterval>();
  readonly #from: number | undefined;
  readonly #to: number | undefined;
  readonly #disputed = new Map<string, DisputeRow[]>();
  readonly #standings: Standings;
  readonly #closed = new Set<number>();

  constructor(from: number | undefined, to: number | undefined, standings = new Standings([], [])) {
    this.#from = from;
    this.#to = to;
    this.#standings = standings;
  }

  dispute(row: DisputeRow): void {
    const key = `${row.channel_id} ${row.at}`;
    this.#disputed.set(key, [...(this.#disputed.get(key) ?? []), row]);
  }

  addDay(day: number, part: number, packed: Uint8Array): void {
    const isLate = part > 0 && this.#closed.has(day);
    if (part === 0) this.#closed.add(day);
    for (const interval of intervalsOf(day, packed)) this.#add(interval, isLate);
  }

  addSingle(row: SingleRow): void {
    this.#add(intervalOfRow(row), this.#closed.has(dayOf(row.at)));
  }

  #add(interval: HeldInterval, isLate: boolean): void {
    const { channel, at } = interval;
    if ((this.#from !== undefined && at < this.#from) || (this.#to !== undefined && at > this.#to)) return;
    const key = `${channel} ${at}`;
    if (this.intervals.has(key)) return;
    const standing = this.#standings.at(
      at,
      "intervals",
      interval.evidence,
      contradictionsOf(interval, this.#disputed.get(key)),
    );
    const quality = standing === "undisputed" ? (isLate ? "late" : "actual") : standing;
    this.intervals.set(key, { ...interval, quality, standing });
  }
}

/** How many instants of a meter are held, and from when to when. */
export async function heldSpan(
  sql: Sql,
  scope: Scope,
  meter: MeterId,
): Promise<{ readonly instants: number; readonly oldest: number | undefined; readonly newest: number | undefined }> {
  const [row] = await rows<SpanRow>(sql, SELECT_SPAN, [...scope.place, meter]);
  const ends = [row?.oldest, row?.newest].filter((end) => typeof end === "number");
  // Packed days tell their first and last instant only when they are unpacked.
  for (const day of [row?.first_day, row?.last_day])
    if (typeof day === "number")
      for (const { packed } of await daysBetween(sql, scope, [meter], day, day))
        for (const { at } of intervalsOf(day, packed)) ends.push(at);
  return {
    instants: Number(row?.instants ?? 0),
    oldest: ends.length === 0 ? undefined : ends.reduce((one, other) => Math.min(one, other)),
    newest: ends.length === 0 ? undefined : ends.reduce((one, other) => Math.max(one, other)),
  };
}

interface SpanRow {
  readonly instants: string;
  readonly oldest: number | null;
  readonly newest: number | null;
  readonly first_day: number | null;
  readonly last_day: number | null;
}

/**
 * The evidence of other values that dispute one. What proves nothing disputes nothing that is proven: anybody could have sent
 * it. Another status of the same value stands beside it and disputes nothing.
 */
function contradictionsOf(
  { protection, value }: HeldInterval,
  contradicting: readonly DisputeRow[] = [],
): readonly number[] {
  return contradicting
    .filter((row) => row.value !== value && (row.protection === "authenticated" || protection !== "authenticated"))
    .flatMap(({ evidence }) => evidence);
}

interface DisputeRow {
  readonly meter_id: number;
  readonly channel_id: number;
  readonly at: number;
  readonly value: number;
  readonly protection: ProtectionGrade;
  readonly evidence: readonly number[];
}

const WINDOW = `where r.utility_id = $1 and r.island_id = $2 and r.meter_id = any($3::integer[])
  and r.at >= $4::timestamptz and r.at <= $5::timestamptz`;
const AT_MS = "extract(epoch from r.at)::float8 * 1000 as at";

const SELECT_SINGLES = `select ${SINGLE_COLUMNS} from interval_readings r ${WINDOW}`;

const SELECT_DISPUTES = `
  select r.meter_id, r.channel_id, ${AT_MS}, r.value, r.protection::text,
    array_agg(r.evidence_id::float8) as evidence
  from interval_corrections r ${WINDOW} group by r.meter_id, r.channel_id, r.at, r.value, r.protection`;

const SELECT_SPAN = `
  select coalesce(r.instants, 0) + coalesce(d.instants, 0) as instants, extract(epoch from r.oldest)::float8 * 1000 as oldest,
    extract(epoch from r.newest)::float8 * 1000 as newest, extract(epoch from d.oldest)::float8 * 1000 as first_day,
    extract(epoch from d.newest)::float8 * 1000 as last_day
  from (select count(distinct at) as instants, min(at) as oldest, max(at) as newest from interval_readings
      where utility_id = $1 and island_id = $2 and meter_id = $3) r,
    (select sum(instants) as instants, min(day) as oldest, max(day) as newest from meter_days
      where utility_id = $1 and island_id = $2 and meter_id = $3) d`;

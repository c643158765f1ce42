import type { Scope } from "../database/scope.ts";
import { rows, type Sql, type SqlClient } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import type { ArrivedInterval } from "./arrived-interval.ts";
import { insertCorrections } from "./corrections.ts";
import { dayOf, dayRow, type HeldInterval, intervalsOf, isOnGrid, wasTrusted } from "./day/day-row.ts";
import { ensureMonths, insertDays, type MeterDayRow, packedDays } from "./day/day-store.ts";

/** Values that were not there before, and how many of them were captured while their source was trusted. */
export interface Added {
  readonly all: number;
  readonly trusted: number;
}

/** So many values of a meter's day in one go are packed into a row; fewer are a row each (ADR 0023). */
const WORTH_A_PART = 8;

/**
 * Writes intervals, each to where it belongs, inside the caller's transaction. What is held already stays: the same again
 * changes nothing, another value or another status of it becomes a correction.
 */
export async function writeIntervals(
  sql: SqlClient,
  scope: Scope,
  arrived: readonly ArrivedInterval[],
): Promise<ReadonlyMap<MeterId, Added>> {
  const added = new Counts();
  if (arrived.length === 0) return added.byMeter;
  const corrections: ArrivedInterval[] = [];
  const days = await newOfDays(sql, scope, arrived, corrections);
  const [parts, singles] = await sortOut(sql, scope, days, corrections);
  await ensureMonths(
    sql,
    parts.map(({ row }) => row.day),
  );
  const written = new Set(
    (
      await insertDays(
        sql,
        scope,
        parts.map(({ row }) => row),
      )
    ).map(keyText),
  );
  for (const { row, values } of parts) {
    if (written.has(keyText(row))) added.add(row.meter, row.values, row.trusted);
    // Somebody wrote a part that begins there since we looked: value by value, what of it is new is found out.
    else singles.push(...values);
  }
  await writeSingles(sql, scope, singles, added, corrections);
  await insertCorrections(sql, scope, corrections);
  return added.byMeter;
}

/** A meter's day and the values for it, each instant of a channel once. */
interface ArrivedDay {
  readonly meter: MeterId;
  readonly day: number;
  readonly values: ReadonlyMap<number, ArrivedInterval>;
}

interface OpenDay extends ArrivedDay {
  readonly values: Map<number, ArrivedInterval>;
}

/** What of the arrived is neither packed already nor there twice. */
async function newOfDays(
  sql: Sql,
  scope: Scope,
  arrived: readonly ArrivedInterval[],
  corrections: ArrivedInterval[],
): Promise<readonly ArrivedDay[]> {
  const days = new Map<string, OpenDay>();
  let entry: OpenDay | undefined;
  for (const value of arrived) {
    // Mostly it is of the same day as the value before.
    if (entry === undefined || entry.meter !== value.meter || dayOf(value.at) !== entry.day) {
      const [meter, day] = [value.meter, dayOf(value.at)];
      const key = `${meter} ${day}`;
      entry = days.get(key) ?? { meter, day, values: new Map() };
      days.set(key, entry);
    }
    const instant = instantOf(value);
    const first = entry.values.get(instant);
    if (first === undefined) entry.values.set(instant, value);
    else if (differs(first, value)) corrections.push(value);
  }
  for (const { meter, day, packed } of await packedDays(sql, scope, [...days.values()])) {
    const { values } = days.get(`${meter} ${day}`) as OpenDay;
    takeOutHeld(values, intervalsOf(day, packed), corrections);
  }
  return [...days.values()].filter(({ values }) => values.size > 0);
}

interface Part {
  readonly row: MeterDayRow;
  readonly values: readonly ArrivedInterval[];
}

/** Parts, and what stays single. */
async function sortOut(
  sql: Sql,
  scope: Scope,
  days: readonly ArrivedDay[],
  corrections: ArrivedInterval[],
): Promise<readonly [Part[], ArrivedInterval[]]> {
  const [large, singles]: [ArrivedDay[], ArrivedInterval[]] = [[], []];
  for (const day of days) {
    if (day.values.size >= WORTH_A_PART) large.push(day);
    else singles.push(...day.values.values());
  }
  const parts: Part[] = [];
  for (const { meter, day, values } of await withoutSingles(sql, scope, large, corrections)) {
    const packable: ArrivedInterval[] = [];
    let period: number | undefined;
    for (const value of values.values()) {
      const { periodSeconds } = value;
      period ??= periodSeconds;
      if (periodSeconds !== undefined && periodSeconds === period && isOnGrid(value.at, periodSeconds))
        packable.push(value);
      else singles.push(value);
    }
    if (period === undefined || packable.length < WORTH_A_PART || DAY_MILLISECONDS % (period * 1000) !== 0)
      singles.push(...packable);
    else {
      // A day that came whole has nothing to stay open for.
      const isWhole = values.size === packable.length && isWholeDay(packable, period);
      parts.push({ row: { meter, ...dayRow(day, period, packable, isWhole ? "closed" : "part") }, values: packable });
    }
  }
  return [parts, singles];
}

/** Whether every channel has a value for every interval of the day, each once. */
function isWholeDay(values: readonly ArrivedInterval[], periodSeconds: number): boolean {
  const channels = new Set(values.map(({ channel }) => channel));
  return values.length === channels.size * (DAY_MILLISECONDS / (periodSeconds * 1000));
}

/** The same days without what single rows hold of them. */
async function withoutSingles(
  sql: Sql,
  scope: Scope,
  days: readonly ArrivedDay[],
  corrections: ArrivedInterval[],
): Promise<readonly ArrivedDay[]> {
  if (days.length === 0) return days;
  const found = await rows<SingleValue>(sql, SELECT_SINGLES, [
    ...scope.place,
    days.map(({ meter }) => meter),
    days.map(({ day }) => new Date(day)),
    days.map(({ day }) => new Date(day + DAY_MILLISECONDS)),
  ]);
  if (found.length === 0) return days;
  const left = new Map(days.map((one) => [`${one.meter} ${one.day}`, { ...one, values: new Map(one.values) }]));
  for (const { meter_id, channel_id, at, value, status } of found) {
    const entry = left.get(`${meter_id} ${dayOf(at)}`);
    const held = { channel: channel_id, at, value, status: status ?? undefined };
    if (entry !== undefined) takeOutHeld(entry.values, [held], corrections);
  }
  return [...left.values()];
}

interface SingleValue {
  readonly meter_id: number;
  readonly channel_id: number;
  readonly at: number;
  readonly value: number;
  readonly status: number | null;
}

/** Whether an answer says something else than what is held: another value, or another status of the same. */
function differs(
  held: Pick<HeldInterval, "value" | "status">,
  arrived: Pick<ArrivedInterval, "value" | "status">,
): boolean {
  return held.value !== arrived.value || (arrived.status !== undefined && held.status !== arrived.status);
}

function takeOutHeld(
  values: Map<number, ArrivedInterval>,
  held: readonly Pick<HeldInterval, "channel" | "at" | "value" | "status">[],
  corrections: ArrivedInterval[],
): void {
  for (const one of held) {
    const value = values.get(instantOf(one));
    if (value === undefined) continue;
    values.delete(instantOf(one));
    if (differs(one, value)) corrections.push(value);
  }
}

async function writeSingles(
  sql: Sql,
  scope: Scope,
  singles: readonly ArrivedInterval[],
  added: Counts,
  corrections: ArrivedInterval[],
): Promise<void> {
  if (singles.length === 0) return;
  const values = singlesAsArrays(singles);
  const inserted = await rows<{ meter_id: number; channel_id: number; at: number }>(sql, INSERT_SINGLES, [
    ...scope.place,
    ...values,
  ]);
  const isNew = new Set(inserted.map(({ meter_id, channel_id, at }) => `${meter_id} ${channel_id} ${at}`));
  for (const value of singles)
    if (isNew.has(`${value.meter} ${value.channel} ${value.at}`)) added.add(value.meter, 1, wasTrusted(value) ? 1 : 0);
  if (inserted.length === singles.length) return;
  const differing = await rows<{ n: string }>(sql, SELECT_DIFFERING, [
    ...scope.place,
    values[0],
    values[1],
    values[2],
    values[3],
    values[4],
  ]);
  for (const { n } of differing) corrections.push(singles[Number(n) - 1] as ArrivedInterval);
}

function singlesAsArrays(singles: readonly ArrivedInterval[]): readonly unknown[][] {
  return [
    singles.map(({ meter }) => meter),
    singles.map(({ channel }) => channel),
    singles.map(({ at }) => new Date(at)),
    singles.map(({ value }) => value),
    singles.map(({ status }) => status ?? null),
    singles.map(({ evidence }) => evidence),
    singles.map(({ protection }) => protection),
    singles.map(({ trustAtCapture }) => trustAtCapture),
  ];
}

class Counts {
  readonly byMeter = new Map<MeterId, Added>();

  add(meter: MeterId, all: number, trusted: number): void {
    const before = this.byMeter.get(meter) ?? { all: 0, trusted: 0 };
    this.byMeter.set(meter, { all: before.all + all, trusted: before.trusted + trusted });
  }
}

/** A channel and an instant of a day as one number: channels have 16 bits. */
function instantOf({ channel, at }: Pick<HeldInterval, "channel" | "at">): number {
  return (at % DAY_MILLISECONDS) * 65_536 + channel;
}

function keyText({
  meter,
  day,
  part,
}: {
  readonly meter: MeterId;
  readonly day: number;
  readonly part: number;
}): string {
  return `${meter} ${day} ${part}`;
}

const AT_MS = "extract(epoch from r.at)::float8 * 1000 as at";

const SELECT_SINGLES = `
  select r.meter_id, r.channel_id, ${AT_MS}, r.value, r.status::float8 as status
  from unnest($3::integer[], $4::timestamptz[], $5::timestamptz[]) as w(meter_id, from_at, to_at)
  join interval_readings r on r.utility_id = $1 and r.island_id = $2 and r.meter_id = w.meter_id
    and r.at > w.from_at and r.at <= w.to_at`;

const INSERT_SINGLES = `
  insert into interval_readings as r (utility_id, island_id, meter_id, channel_id, at, value, status, evidence_id, protection,
    trust_at_capture)
  select $1, $2, i.* from unnest($3::integer[], $4::smallint[], $5::timestamptz[], $6::float8[], $7::bigint[],
    $8::bigint[], $9::protection_grade[], $10::trust_state[]) as i
  on conflict do nothing
  returning r.meter_id, r.channel_id, ${AT_MS}`;

const SELECT_DIFFERING = `
  select w.n from unnest($3::integer[], $4::smallint[], $5::timestamptz[], $6::float8[], $7::bigint[]) with ordinality
    as w(meter_id, channel_id, at, value, status, n)
  join interval_readings r on r.utility_id = $1 and r.island_id = $2 and r.meter_id = w.meter_id
    and r.channel_id = w.channel_id and r.at = w.at
  where r.value <> w.value or r.status is distinct from coalesce(w.status, r.status)`;

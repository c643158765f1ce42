import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { Meter, MeterId } from "../inventory/meter.ts";
import { RELAY_CODES } from "../profile/event-codes.ts";
import { findMeterProfile, type MeterProfile } from "../profile/meter-profile.ts";
import { RATIO_CODES, TRANSFORMER_RATIOS } from "../profile/transformer-ratios.ts";
import type { Stretch } from "../reading/coverage.ts";
import { packedDays } from "../reading/day/day-store.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import { cohortsOf } from "./cohort.ts";
import { type MeterHistory, NO_HISTORY } from "./history.ts";
import { type ChannelMeaning, type MeterDay, meterDay } from "./meter-day.ts";
import type { RegisterPoint } from "./meter-facts.ts";
import { ENERGIES, factorOf, VOLTAGE } from "./quantity.ts";
import type { MemberDay } from "./transformer-rules.ts";

/** Codes of relays that opened. */
const OPENED: readonly number[] = Object.values(RELAY_CODES.opened).flat();
/** What its registers tell: each direction in all or by tariff, and the voltage. */
const READ = [...Object.keys(ENERGIES).filter((obis) => ENERGIES[obis]?.of !== "interval"), VOLTAGE];

/** A meter of a group, with its transformer. */
export interface GroupMember extends MemberDay {
  readonly transformer: string | undefined;
  readonly cohorts: readonly string[];
}

/** Everything that the rules need of some meters' day, in a handful of statements for all of them. */
export async function loadDay(
  sql: Sql,
  scope: Scope,
  meters: readonly MeterId[],
  day: number,
  channels: ReadonlyMap<number, ChannelMeaning>,
): Promise<readonly GroupMember[]> {
  const values = [...scope.place, meters, new Date(day), new Date(day + DAY_MILLISECONDS)];
  const found = await rows<MeterRow>(sql, SELECT_METERS, values);
  const packed = Map.groupBy(
    await packedDays(
      sql,
      scope,
      meters.map((meter) => ({ meter, day })),
    ),
    ({ meter }) => meter,
  );
  const registers = Map.groupBy(await rows<RegisterRow>(sql, SELECT_REGISTERS, values), ({ meter_id }) => meter_id);
  const contradictions = Map.groupBy(
    await rows<ContradictionRow>(sql, SELECT_CONTRADICTIONS, values),
    ({ meter_id }) => meter_id,
  );
  const switched = Map.groupBy(
    await rows<SwitchRow>(sql, SELECT_SWITCHED, [...values, [...OPENED, ...RELAY_CODES.closed]]),
    ({ meter_id }) => meter_id,
  );
  const qualities = Map.groupBy(await rows<QualityRow>(sql, SELECT_QUALITY, values), ({ meter_id }) => meter_id);
  return found.flatMap((row): GroupMember[] => {
    const profile = findMeterProfile(row.profile);
    // One that was judged before a process ended is not judged again.
    if (profile === undefined || (row.judged_to !== null && row.judged_to >= day)) return [];
    const history: MeterHistory = row.state ?? NO_HISTORY;
    const meter = row.meter_id as MeterId;
    // The registers of the day before say nothing of this day's beginning when there is a day between.
    const isNext = history.day === day - DAY_MILLISECONDS;
    const before = {
      ...(isNext && history.drawnAt !== undefined ? { drawn: history.drawnAt } : {}),
      ...(isNext && history.fedAt !== undefined ? { fed: history.fedAt } : {}),
    };
    const octets = (packed.get(meter) ?? []).map((one) => one.packed);
    const own = meterDay(day, profile, octets, channels, before);
    addQualities(own, qualities.get(meter) ?? [], channels);
    const read = registers.get(row.meter_id) ?? [];
    return [
      {
        day: own,
        history,
        transformer: row.transformer_id ?? undefined,
        cohorts: [`profile ${row.profile}`, ...cohortsOf(row)],
        facts: {
          meter,
          label: row.label,
          role: row.role,
          phases: row.phase === "L1" || row.phase === "L2" || row.phase === "L3" ? 1 : 3,
          ratedKva: row.role === "transformer" ? (row.rated_kva ?? undefined) : undefined,
          ratios: ratiosOf(row.ratios ?? {}),
          registers: registersOf(read),
          open: openStretches(switched.get(row.meter_id) ?? [], day),
          supplied: row.supply === null || row.supply === "unknown" ? undefined : row.supply === "connected",
          voltage: read.findLast(({ obis }) => obis === VOLTAGE)?.value,
          times: {
            contradicted: (contradictions.get(row.meter_id) ?? []).filter((one) => contradicts(own, one, channels))
              .length,
            offGrid: offGridOf(row, profile),
            absent: Number(row.absent_seconds) / profile.loadProfile.periodSeconds,
          },
        },
      },
    ];
  });
}

/** What the meter said last of its instrument transformers: numerator over denominator, which is one where it names none. */
function ratiosOf(told: Readonly<Record<string, number>>): MemberDay["facts"]["ratios"] {
  const ratio = ({
    numerator,
    denominator,
  }: (typeof TRANSFORMER_RATIOS)["current" | "voltage"]): number | undefined => {
    const value = (told[numerator] ?? Number.NaN) / (told[denominator] ?? 1);
    return value > 1 && Number.isFinite(value) ? value : undefined;
  };
  const [current, voltage] = [ratio(TRANSFORMER_RATIOS.current), ratio(TRANSFORMER_RATIOS.voltage)];
  return { ...(current === undefined ? {} : { current }), ...(voltage === undefined ? {} : { voltage }) };
}

/** Totals, and where a meter has none of a moment the sum of its tariffs. */
function registersOf(read: readonly RegisterRow[]): readonly RegisterPoint[] {
  const sums = new Map<string, RegisterPoint>();
  const withTotal = new Set(
    read
      .filter(({ obis }) => ENERGIES[obis]?.of === "register")
      .map(({ obis, at, source }) => `${ENERGIES[obis]?.direction} ${at} ${source}`),
  );
  const points: RegisterPoint[] = [];
  for (const { obis, at, value, unit, source } of read) {
    const energy = ENERGIES[obis];
    const factor = factorOf(unit ?? "");
    if (energy === undefined || factor === undefined) continue;
    const { direction, of } = energy;
    const point = { direction, at, wattHours: value * factor, source };
    if (of === "register") points.push(point);
    else {
      const key = `${direction} ${at} ${source}`;
      if (withTotal.has(key)) continue;
      sums.set(key, { ...point, wattHours: point.wattHours + (sums.get(key)?.wattHours ?? 0) });
    }
  }
  return [...points, ...sums.values()].sort((one, other) => one.at - other.at);
}

/** Between opening and closing, as far as it bears on the day. */
function openStretches(switched: readonly SwitchRow[], day: number): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let openedAt: number | undefined;
  for (const { at, code } of switched) {
    const isOpening = OPENED.includes(code);
    if (isOpening) openedAt ??= at;
    else if (openedAt !== undefined) {
      stretches.push({ from: openedAt, to: at });
      openedAt = undefined;
    }
  }
  if (openedAt !== undefined) stretches.push({ from: openedAt, to: day + DAY_MILLISECONDS });
  return stretches.filter(({ to }) => to > day);
}

function contradicts(day: MeterDay, row: ContradictionRow, channels: ReadonlyMap<number, ChannelMeaning>): boolean {
  const { obis = "", unit = "" } = channels.get(row.channel_id) ?? {};
  const quantity = ENERGIES[obis];
  const factor = factorOf(unit);
  // Of what no rule looks at it is enough that there is another value.
  if (quantity === undefined || quantity.of === "tariff" || factor === undefined) return true;
  const { register, energy } = day[quantity.direction];
  const held = quantity.of === "register" ? register : energy;
  const slot = (row.at - day.day) / (day.periodSeconds * 1_000) - 1;
  return held?.[slot] !== row.value * factor;
}

function offGridOf({ single_instants }: MeterRow, { loadProfile }: MeterProfile): number {
  return (single_instants ?? []).filter((seconds) => seconds % loadProfile.periodSeconds !== 0).length;
}

/** Mean voltages of the profile of power quality, for the intervals that they lie in. */
function addQualities(
  day: MeterDay,
  found: readonly QualityRow[],
  channels: ReadonlyMap<number, ChannelMeaning>,
): void {
  const slots = new Map<number, { sum: number; count: number }>();
  for (const row of found) {
    const place = row.channels.findIndex((channel) => /^1-0:32\.(24|27|7)\.0$/.test(channels.get(channel)?.obis ?? ""));
    const value = row.readings[place];
    if (value === undefined) continue;
    const slot = Math.ceil((row.at - day.day) / (day.periodSeconds * 1_000)) - 1;
    const known = slots.get(slot) ?? { sum: 0, count: 0 };
    slots.set(slot, { sum: known.sum + value, count: known.count + 1 });
  }
  for (const [slot, { sum, count }] of slots)
    if (slot >= 0 && slot < day.voltage.length && Number.isNaN(day.voltage[slot])) day.voltage[slot] = sum / count;
}

interface MeterRow {
  readonly meter_id: number;
  readonly label: string;
  readonly role: Meter["role"];
  readonly profile: string;
  readonly model: string | null;
  readonly firmware: string | null;
  readonly route: string | null;
  readonly phase: string | null;
  readonly transformer_id: string | null;
  readonly rated_kva: number | null;
  readonly supply: "connected" | "disconnected" | "unknown" | null;
  readonly absent_seconds: string;
  readonly single_instants: readonly number[] | null;
  readonly ratios: Readonly<Record<string, number>> | null;
  readonly judged_to: number | null;
  readonly state: MeterHistory | null;
}
interface RegisterRow {
  readonly meter_id: number;
  readonly obis: string;
  readonly at: number;
  readonly value: number;
  readonly unit: string | null;
  readonly source: "session" | "push";
}
interface ContradictionRow {
  readonly meter_id: number;
  readonly channel_id: number;
  readonly at: number;
  readonly value: number;
}
interface SwitchRow {
  readonly meter_id: number;
  readonly at: number;
  readonly code: number;
}
interface QualityRow {
  readonly meter_id: number;
  readonly at: number;
  readonly channels: readonly number[];
  readonly readings: readonly number[];
}

const SELECT_METERS = `
  select m.meter_id, m.label, m.role, m.profile, m.model, m.firmware, m.route, m.phase, m.transformer_id, t.rated_kva, l.supply,
    (select coalesce(sum(extract(epoch from upper(r) - lower(r))), 0)::bigint
     from unnest(c.absent * tstzmultirange(tstzrange($4, $5, '(]'))) r) as absent_seconds,
    (select array_agg(distinct extract(epoch from i.at)::float8) from interval_readings i
     where i.utility_id = $1 and i.island_id = $2 and i.meter_id = m.meter_id and i.at > $4 and i.at <= $5) as single_instants,
    (select jsonb_object_agg(n.obis, n.number_value) from (
      select distinct on (r.obis) r.obis, r.number_value from register_readings r
      where r.utility_id = $1 and r.island_id = $2 and r.meter_id = m.meter_id and r.obis = any(array['${RATIO_CODES.join("', '")}'])
        and r.number_value is not null and r.protection = 'authenticated'
      order by r.obis, r.at desc) n) as ratios,
    extract(epoch from h.day)::float8 * 1000 as judged_to, h.state
  from unnest($3::integer[]) as w(meter_id)
  join meters m on m.utility_id = $1 and m.island_id = $2 and m.meter_id = w.meter_id
  join interval_coverage c on (c.utility_id, c.island_id, c.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  join meter_latest l on (l.utility_id, l.island_id, l.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  left join transformers t on (t.utility_id, t.island_id, t.transformer_id) = (m.utility_id, m.island_id, m.transformer_id)
  left join plausibility_history h
    on (h.utility_id, h.island_id, h.subject_kind, h.subject) = (m.utility_id, m.island_id, 'meter', m.meter_id::text)`;

const OF_DAY = `r.utility_id = $1 and r.island_id = $2 and r.meter_id = any($3::integer[])`;

const SELECT_REGISTERS = `
  select r.meter_id, r.obis, extract(epoch from r.at)::float8 * 1000 as at, r.number_value as value, r.unit, r.source
  from register_readings r
  where ${OF_DAY} and r.obis = any(array['${READ.join("', '")}']) and r.at >= $4 and r.at <= $5
    and r.number_value is not null and r.protection = 'authenticated'
  order by r.at`;

const SELECT_CONTRADICTIONS = `
  select r.meter_id, r.channel_id, extract(epoch from r.at)::float8 * 1000 as at, r.value
  from interval_corrections r where ${OF_DAY} and r.at > $4 and r.at <= $5`;

const SELECT_SWITCHED = `
  select r.meter_id, extract(epoch from r.at)::float8 * 1000 as at, r.code::float8 as code
  from meter_events r
  where ${OF_DAY} and r.at > $4::timestamptz - interval '60 days' and r.at <= $5 and r.category = 'supply-control'
    and r.code = any($6::bigint[])
  order by r.at`;

const SELECT_QUALITY = `
  select r.meter_id, extract(epoch from r.at)::float8 * 1000 as at, r.channels, r.readings
  from quality_readings r where ${OF_DAY} and r.at > $4 and r.at <= $5`;

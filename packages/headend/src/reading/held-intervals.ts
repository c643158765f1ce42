import type { IntervalQuality, ProtectionGrade, TrustStateName } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { dayOf, type HeldInterval, intervalsOf } from "./day/day-row.ts";
import { daysBetween } from "./day/day-store.ts";

/** A value that is held, and what is to be said of it. */
export interface QualifiedInterval extends HeldInterval {
  readonly quality: IntervalQuality;
}

/**
 * A meter's intervals that end in `[from, to]` (milliseconds since 1970 UTC at the source; open where absent), of packed days
 * and of single rows, in no order. Each channel has one value an instant: the one that was there first.
 */
export async function heldIntervals(
  sql: Sql,
  scope: Scope,
  meter: MeterId,
  from: number | undefined,
  to: number | undefined,
): Promise<readonly QualifiedInterval[]> {
  const bounds = [...scope.place, meter, dateOr(from, "-infinity"), dateOr(to, "infinity")];
  const days = await daysBetween(
    sql,
    scope,
    meter,
    from === undefined ? undefined : dayOf(from),
    to === undefined ? undefined : dayOf(to),
  );
  const singles = await rows<SingleRow>(sql, SELECT_SINGLES, bounds);
  const disputes = await rows<DisputeRow>(sql, SELECT_DISPUTES, bounds);
  const disputed = new Map<string, ProtectionGrade[]>();
  for (const { channel_id, at, protections } of disputes) disputed.set(`${channel_id} ${at}`, protections);

  const held = new Map<string, QualifiedInterval>();
  const closed = new Set<number>();
  const add = (interval: HeldInterval, isLate: boolean): void => {
    if ((from !== undefined && interval.at < from) || (to !== undefined && interval.at > to)) return;
    const key = `${interval.channel} ${interval.at}`;
    if (held.has(key)) return;
    const quality = isDisputed(interval, disputed.get(key)) ? "disputed" : isLate ? "late" : "actual";
    held.set(key, { ...interval, quality });
  };
  for (const { day, part, packed } of days) {
    const isLate = part > 0 && closed.has(day);
    if (part === 0) closed.add(day);
    for (const interval of intervalsOf(day, packed)) add(interval, isLate);
  }
  for (const row of singles) add(intervalOfRow(row), closed.has(dayOf(row.at)));
  return [...held.values()];
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
      for (const { packed } of await daysBetween(sql, scope, meter, day, day))
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

/** What proves nothing disputes nothing that is proven: anybody could have sent it. */
function isDisputed({ protection }: HeldInterval, contradicting: readonly ProtectionGrade[] | undefined): boolean {
  return contradicting?.some((one) => one === "authenticated" || protection !== "authenticated") ?? false;
}

function intervalOfRow(row: SingleRow): HeldInterval {
  return {
    channel: row.channel_id,
    at: row.at,
    value: row.value,
    status: row.status === null ? undefined : Number(row.status),
    evidence: Number(row.evidence_id),
    protection: row.protection,
    trustAtCapture: row.trust_at_capture,
  };
}

function dateOr(at: number | undefined, open: string): Date | string {
  return at === undefined ? open : new Date(at);
}

interface SingleRow {
  readonly channel_id: number;
  readonly at: number;
  readonly value: number;
  readonly status: string | null;
  readonly evidence_id: string;
  readonly protection: ProtectionGrade;
  readonly trust_at_capture: TrustStateName;
}
interface DisputeRow {
  readonly channel_id: number;
  readonly at: number;
  readonly protections: ProtectionGrade[];
}

const WINDOW = `where r.utility_id = $1 and r.island_id = $2 and r.meter_id = $3 and r.at >= $4::timestamptz
  and r.at <= $5::timestamptz`;
const AT_MS = "extract(epoch from r.at)::float8 * 1000 as at";

const SELECT_SINGLES = `
  select r.channel_id, ${AT_MS}, r.value, r.status, r.evidence_id, r.protection, r.trust_at_capture
  from interval_readings r ${WINDOW}`;

const SELECT_DISPUTES = `
  select r.channel_id, ${AT_MS}, array_agg(distinct r.protection::text) as protections
  from interval_corrections r ${WINDOW} group by r.channel_id, r.at`;

const SELECT_SPAN = `
  select coalesce(r.instants, 0) + coalesce(d.instants, 0) as instants, extract(epoch from r.oldest)::float8 * 1000 as oldest,
    extract(epoch from r.newest)::float8 * 1000 as newest, extract(epoch from d.oldest)::float8 * 1000 as first_day,
    extract(epoch from d.newest)::float8 * 1000 as last_day
  from (select count(distinct at) as instants, min(at) as oldest, max(at) as newest from interval_readings
      where utility_id = $1 and island_id = $2 and meter_id = $3) r,
    (select sum(instants) as instants, min(day) as oldest, max(day) as newest from meter_days
      where utility_id = $1 and island_id = $2 and meter_id = $3) d`;

import type { TrustStateName } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql, type SqlPool } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { findMeterProfile } from "../profile/meter-profile.ts";
import type { Stretch } from "../reading/coverage.ts";
import { heldIntervals, type QualifiedInterval } from "../reading/held-intervals.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import { isDecisive } from "../trust/trust-at.ts";

/** What an export takes: intervals that end in `[from, to]`, milliseconds since 1970 UTC at the source. */
export interface ExportWindow {
  readonly from: number;
  readonly to: number;
  /** `trusted` keeps what decisions may use. */
  readonly trust: "trusted" | "all";
  /** Of one meter alone. */
  readonly meter?: MeterId;
}

/** One value as it goes out. */
export interface ExportedInterval extends QualifiedInterval {
  readonly decisive: boolean;
}

/** One channel of a meter, in the order of time. */
export interface ExportedChannel {
  readonly obis: string;
  readonly unit: string;
  readonly intervals: readonly ExportedInterval[];
}

/** A meter and what an export has of it, or of a month of it. */
export interface ExportedMeter {
  readonly systemTitle: string;
  readonly serialNumber: string | undefined;
  readonly periodSeconds: number;
  readonly trustNow: TrustStateName;
  readonly channels: readonly ExportedChannel[];
}

/** Days of meters that stand in memory at a time. */
const METER_DAYS_A_PAGE = 100;
const MOST_DAYS_A_PART = 31;
/** Whoever takes nothing for so long is broken off: while a moment is held, the database can tidy nothing up. */
const MOST_IDLE_MINUTES = 10;

/**
 * The meters of an island in the order of their numbers, as they are at one moment: what arrives, is packed or is judged meanwhile
 * is in none of it or in all. Memory grows neither with the fleet nor with the window: of more than a month a meter comes in
 * parts, one after the other.
 */
export async function* exportedMeters(
  pool: Pick<SqlPool, "connect">,
  scope: Scope,
  window: ExportWindow,
): AsyncGenerator<ExportedMeter> {
  const sql = await pool.connect();
  let broken: Error | undefined;
  try {
    await sql.query("begin transaction isolation level repeatable read read only");
    await sql.query(`set local idle_in_transaction_session_timeout = '${MOST_IDLE_MINUTES}min'`);
    yield* metersOf(sql, scope, window);
  } finally {
    // Also where whoever reads has broken off: nothing was written.
    await sql.query("rollback").catch((error: Error) => {
      broken = error;
    });
    sql.release(broken);
  }
}

async function* metersOf(sql: Sql, scope: Scope, window: ExportWindow): AsyncGenerator<ExportedMeter> {
  const channels = await rows<ChannelRow>(sql, SELECT_CHANNELS, [...scope.place]);
  const names = new Map(channels.map((row) => [row.channel_id, row]));
  const parts = partsOf(window);
  const days = Math.min(MOST_DAYS_A_PART, Math.ceil((window.to - window.from + 1) / DAY_MILLISECONDS) + 1);
  const atOnce = parts.length > 1 ? 1 : Math.max(1, Math.floor(METER_DAYS_A_PAGE / days));
  for (let after = 0; ; ) {
    const page = await rows<MeterRow>(sql, NEXT_METERS, [...scope.place, after, atOnce, window.meter ?? null]);
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.meter_id;
    const ids = page.map(({ meter_id }) => meter_id as MeterId);
    for (const { from, to } of parts) {
      const held = await heldIntervals(sql, scope, ids, from, to);
      for (const row of page) {
        const meter = exportedMeter(row, held.get(row.meter_id as MeterId) ?? [], names, window);
        if (meter.channels.length > 0) yield meter;
      }
    }
  }
}

/** The window by months, both ends of each included. */
function partsOf({ from, to }: Stretch): readonly Stretch[] {
  const length = MOST_DAYS_A_PART * DAY_MILLISECONDS;
  const parts: Stretch[] = [];
  for (let begin = from; begin <= to; begin += length)
    parts.push({ from: begin, to: Math.min(to, begin + length - 1) });
  return parts;
}

function exportedMeter(
  row: MeterRow,
  held: readonly QualifiedInterval[],
  names: ReadonlyMap<number, ChannelRow>,
  { trust }: ExportWindow,
): ExportedMeter {
  const kept = held
    .map((one) => ({ ...one, decisive: isDecisive(one.trustAtCapture, row.state, one.protection, one.standing) }))
    .filter(({ decisive }) => trust === "all" || decisive)
    .sort((one, other) => one.channel - other.channel || one.at - other.at);
  const channels = [...Map.groupBy(kept, ({ channel }) => channel)].flatMap(([channel, intervals]) => {
    const name = names.get(channel);
    return name === undefined ? [] : [{ obis: name.obis, unit: name.unit, intervals }];
  });
  return {
    systemTitle: row.title,
    serialNumber: row.serial_number ?? undefined,
    periodSeconds: findMeterProfile(row.profile)?.loadProfile.periodSeconds ?? 900,
    trustNow: row.state,
    channels,
  };
}

interface MeterRow {
  readonly meter_id: number;
  readonly title: string;
  readonly serial_number: string | null;
  readonly profile: string;
  readonly state: TrustStateName;
}
interface ChannelRow {
  readonly channel_id: number;
  readonly obis: string;
  readonly unit: string;
}

const SELECT_CHANNELS = "select channel_id, obis, unit from channels where utility_id = $1 and island_id = $2";

const NEXT_METERS = `
  select m.meter_id, upper(encode(m.system_title, 'hex')) as title, m.serial_number, m.profile, t.state
  from meters m join trust t using (utility_id, island_id, meter_id)
  where m.utility_id = $1 and m.island_id = $2 and m.meter_id > $3
    and ($5::integer is null or m.meter_id = $5) order by m.meter_id limit $4`;

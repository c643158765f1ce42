import type { TrustStateName } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql, type SqlPool } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { findMeterProfile } from "../profile/meter-profile.ts";
import type { Stretch } from "../reading/coverage.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import { isDecisive } from "../trust/trust-at.ts";
import type { ExportableValue, Exported, ExportedChannel, ExportedMeter, ExportKind } from "./export-kind.ts";

/** What an export takes: values whose times are in `[from, to]`, milliseconds since 1970 UTC at the source. */
export interface ExportWindow {
  readonly from: number;
  readonly to: number;
  /** `trusted` keeps what decisions may use. */
  readonly trust: "trusted" | "all";
  /** Of one meter alone. */
  readonly meter?: MeterId;
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
export async function* exportedMeters<Value extends ExportableValue>(
  kind: Pick<ExportKind<Value>, "open" | "isOneAMoment">,
  pool: Pick<SqlPool, "connect">,
  scope: Scope,
  window: ExportWindow,
): AsyncGenerator<ExportedMeter<Value>> {
  const sql = await pool.connect();
  let broken: Error | undefined;
  try {
    await sql.query("begin transaction isolation level repeatable read read only");
    await sql.query(`set local idle_in_transaction_session_timeout = '${MOST_IDLE_MINUTES}min'`);
    yield* metersOf(kind, sql, scope, window);
  } finally {
    // Also where whoever reads has broken off: nothing was written.
    await sql.query("rollback").catch((error: Error) => {
      broken = error;
    });
    sql.release(broken);
  }
}

async function* metersOf<Value extends ExportableValue>(
  kind: Pick<ExportKind<Value>, "open" | "isOneAMoment">,
  sql: Sql,
  scope: Scope,
  window: ExportWindow,
): AsyncGenerator<ExportedMeter<Value>> {
  const channelsOf = await kind.open(sql, scope);
  const parts = partsOf(window);
  const days = Math.min(MOST_DAYS_A_PART, Math.ceil((window.to - window.from + 1) / DAY_MILLISECONDS) + 1);
  const atOnce = parts.length > 1 ? 1 : Math.max(1, Math.floor(METER_DAYS_A_PAGE / days));
  for (let after = 0; ; ) {
    const page = await rows<MeterRow>(sql, NEXT_METERS, [...scope.place, after, atOnce, window.meter ?? null]);
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.meter_id;
    const ids = page.map(({ meter_id }) => meter_id as MeterId);
    for (const part of parts) {
      const held = await channelsOf(ids, part);
      for (const row of page) {
        const meter = exportedMeter(row, held.get(row.meter_id as MeterId) ?? [], window, kind);
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

function exportedMeter<Value extends ExportableValue>(
  row: MeterRow,
  held: readonly ExportedChannel<Value>[],
  { trust }: ExportWindow,
  kind: Pick<ExportKind<Value>, "isOneAMoment">,
): ExportedMeter<Value> {
  const channels = held.map(({ obis, unit, values }) => ({
    obis,
    unit,
    values: judged(values, row.state, trust, kind),
  }));
  return {
    systemTitle: row.title,
    serialNumber: row.serial_number ?? undefined,
    periodSeconds: findMeterProfile(row.profile)?.loadProfile.periodSeconds ?? 900,
    trustNow: row.state,
    channels: channels.filter(({ values }) => values.length > 0),
  };
}

/** Of several values of one moment decisions use the first that they may, as of intervals the one that came first is held. */
function judged<Value extends ExportableValue>(
  values: readonly Value[],
  trustNow: TrustStateName,
  trust: ExportWindow["trust"],
  { isOneAMoment }: Pick<ExportKind<Value>, "isOneAMoment">,
): readonly Exported<Value>[] {
  const kept: Exported<Value>[] = [];
  let usedAt: number | undefined;
  for (const one of values) {
    const decisive = one.at !== usedAt && isDecisive(one.trustAtCapture, trustNow, one.protection, one.standing);
    if (decisive && isOneAMoment === true) usedAt = one.at;
    if (decisive || trust === "all") kept.push({ ...one, decisive });
  }
  return kept;
}

interface MeterRow {
  readonly meter_id: number;
  readonly title: string;
  readonly serial_number: string | null;
  readonly profile: string;
  readonly state: TrustStateName;
}

const NEXT_METERS = `
  select m.meter_id, upper(encode(m.system_title, 'hex')) as title, m.serial_number, m.profile, t.state
  from meters m join trust t using (utility_id, island_id, meter_id)
  where m.utility_id = $1 and m.island_id = $2 and m.meter_id > $3
    and ($5::integer is null or m.meter_id = $5) order by m.meter_id limit $4`;

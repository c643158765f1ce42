import type { BlastRadius } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import { METER_PROFILES } from "../profile/meter-profile.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** An alarm before a freeze is what it was thrown for, where it is no older. */
const MOST_BEFORE = 24 * HOUR;
/** Share of all readings that must survive while an island is cut off (autonomy). */
const KEPT_SHARE = 0.95;

/**
 * How long things take, of what has been seen here: from the first bad act to the freeze, new keys for everybody, and how long
 * an island that is cut off keeps its readings.
 */
export async function timesOf(sql: Sql, scope: Scope): Promise<BlastRadius["times"]> {
  const [cut, rekey, autonomyHours] = await Promise.all([lastCut(sql), rekeying(sql, scope), autonomy(sql, scope)]);
  return {
    ...(cut !== undefined && { cut }),
    ...(rekey !== undefined && { rekey }),
    ...(autonomyHours !== undefined && { autonomyHours }),
  };
}

/** The last time that somebody froze everything by this head-end: how long that took, and since the alarm before it. */
async function lastCut(sql: Sql): Promise<BlastRadius["times"]["cut"]> {
  const frozen = await firstRow<{ at_ms: string; body: string }>(sql, `${ENTRIES} order by sequence desc limit 1`, [
    "kill-switch-on",
    Number.MAX_SAFE_INTEGER,
    0,
  ]);
  if (frozen === undefined) return undefined;
  const at = Number(frozen.at_ms);
  const { milliseconds, drill, afterFirstActMilliseconds } = JSON.parse(frozen.body) as {
    readonly milliseconds?: number;
    readonly drill?: string;
    readonly afterFirstActMilliseconds?: number;
  };
  const alarm = await firstRow<{ at_ms: string }>(sql, `${ENTRIES} order by sequence desc limit 1`, [
    "command-alarm",
    at,
    at - MOST_BEFORE,
  ]);
  return {
    at: new Date(at).toISOString(),
    ...(milliseconds !== undefined && { freezeMilliseconds: milliseconds }),
    ...(drill !== undefined && { drill }),
    ...(afterFirstActMilliseconds !== undefined && { afterFirstActMilliseconds }),
    ...(alarm !== undefined && { afterAlarmSeconds: Math.round((at - Number(alarm.at_ms)) / 1000) }),
  };
}

/** By the ten minutes in which most meters got keys of ours. */
async function rekeying(sql: Sql, scope: Scope): Promise<BlastRadius["times"]["rekey"]> {
  const row = await firstRow<{ most: string | null; meters: string }>(
    sql,
    `select max(near) as most, count(*) as meters from (
       select count(*) over (order by proven_at range interval '10 minutes' preceding) as near
       from takeovers where utility_id = $1 and island_id = $2 and proven_at is not null
     ) proven`,
    [...scope.place],
  );
  const most = Number(row?.most ?? 0);
  if (most === 0) return undefined;
  const metersAnHour = most * 6;
  return { metersAnHour, minutes: Math.ceil((Number(row?.meters) / metersAnHour) * 60) };
}

/** As long as the meters themselves keep their intervals. */
async function autonomy(sql: Sql, scope: Scope): Promise<number | undefined> {
  const found = await rows<{ profile: string; meters: string }>(
    sql,
    "select profile, count(*) as meters from meters where utility_id = $1 and island_id = $2 group by profile",
    [...scope.place],
  );
  const kept = found.flatMap(({ profile, meters }) => {
    const known = Object.values(METER_PROFILES).find(({ id }) => id === profile);
    if (known === undefined) return [];
    const { capacityRows, periodSeconds } = known.loadProfile;
    return [{ hours: Math.floor((capacityRows * periodSeconds) / 3600), meters: Number(meters) }];
  });
  const all = kept.reduce((sum, { meters }) => sum + meters, 0);
  let longer = 0;
  for (const { hours, meters } of kept.toSorted((one, other) => other.hours - one.hours)) {
    longer += meters;
    if (longer >= all * KEPT_SHARE) return hours;
  }
  return undefined;
}

const ENTRIES = "select at_ms, body from ledger where kind = $1 and at_ms <= $2 and at_ms >= $3";

import type { ProtectionGrade, QualityView, TrustStateName } from "@meterkeep/api";
import { atOneMoment } from "../database/moment.ts";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql, type SqlPool } from "../database/sql.ts";
import { standingsOf } from "../dispute/standings-of.ts";
import type { Meter } from "../inventory/meter.ts";
import { quantityWords } from "../reading/words.ts";
import { isDecisive } from "../trust/trust-at.ts";
import { timeText } from "./time-text.ts";

interface QualityWindow {
  readonly from: Date | undefined;
  readonly to: Date | undefined;
  readonly limit: number;
}

/** A meter's power quality, oldest first, as it is at one moment; of more rows than the limit the newest. */
export function qualityReadings(
  pool: Pick<SqlPool, "connect">,
  scope: Scope,
  meter: Meter,
  window: QualityWindow,
): Promise<QualityView> {
  return atOneMoment(pool, (sql) => qualityNow(sql, scope, meter, window));
}

async function qualityNow(sql: Sql, scope: Scope, meter: Meter, window: QualityWindow): Promise<QualityView> {
  const found = await rows<QualityRow>(sql, SELECT_QUALITY, [
    ...scope.place,
    meter.id,
    window.from ?? null,
    window.to ?? null,
    window.limit,
  ]);
  const [from, to] = [window.from?.getTime(), window.to?.getTime()];
  const standings = (await standingsOf(sql, scope, [meter.id], from, to)).get(meter.id);
  const channels = [...new Set(found.flatMap((row) => row.channels))].sort((one, other) => one - other);
  const columns = await rows<ColumnRow>(sql, SELECT_CHANNELS, [...scope.place, channels]);
  return {
    meter: meter.title,
    columns: columns.map(({ obis, unit }) => ({ obis, name: quantityWords(obis), unit })),
    rows: found.toReversed().map((row) => {
      const standing = standings?.at(row.at.getTime(), "quality", row.evidence_id) ?? "undisputed";
      return {
        time: timeText(row.at),
        values: columns.map(({ channel_id }) => row.readings[row.channels.indexOf(channel_id)] ?? null),
        evidence: row.evidence,
        protection: row.protection,
        trustAtCapture: row.trust_at_capture,
        standing,
        decisive: isDecisive(row.trust_at_capture, row.trust_now, row.protection, standing),
      };
    }),
  };
}

interface QualityRow {
  readonly at: Date;
  readonly channels: readonly number[];
  readonly readings: readonly number[];
  readonly evidence: string;
  readonly evidence_id: number;
  readonly protection: ProtectionGrade;
  readonly trust_at_capture: TrustStateName;
  readonly trust_now: TrustStateName;
}
interface ColumnRow {
  readonly channel_id: number;
  readonly obis: string;
  readonly unit: string;
}

const SELECT_QUALITY = `
  select q.at, q.channels, q.readings, encode(e.hash, 'hex') as evidence, q.evidence_id::float8 as evidence_id,
    q.protection, q.trust_at_capture, t.state as trust_now
  from quality_readings q
  join evidence e on (e.utility_id, e.island_id, e.evidence_id) = (q.utility_id, q.island_id, q.evidence_id)
  join trust t on (t.utility_id, t.island_id, t.meter_id) = (q.utility_id, q.island_id, q.meter_id)
  where q.utility_id = $1 and q.island_id = $2 and q.meter_id = $3
    and ($4::timestamptz is null or q.at >= $4) and ($5::timestamptz is null or q.at <= $5)
  order by q.at desc limit $6`;

const SELECT_CHANNELS = `
  select channel_id, obis, unit from channels
  where utility_id = $1 and island_id = $2 and channel_id = any($3::smallint[]) order by channel_id`;

import type { TrustStateName } from "@meterkeep/api";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { MeterId } from "../inventory/meter.ts";
import { findMeterProfile } from "../profile/meter-profile.ts";
import { heldIntervals, type QualifiedInterval } from "../reading/held-intervals.ts";
import { isDecisive } from "../trust/trust-at.ts";

/** What an export takes: intervals that end in `[from, to]`, milliseconds since 1970 UTC at the source. */
export interface ExportWindow {
  readonly from: number;
  readonly to: number;
  /** `trusted` keeps what decisions may use. */
  readonly trust: "trusted" | "all";
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

/** A meter and what an export has of it. */
export interface ExportedMeter {
  readonly systemTitle: string;
  readonly serialNumber: string | undefined;
  readonly periodSeconds: number;
  readonly trustNow: TrustStateName;
  readonly channels: readonly ExportedChannel[];
}

const METERS_A_PAGE = 100;

/** The meters of an island in the order of their numbers, a page at a time: memory does not grow with the fleet. */
export async function* exportedMeters(sql: Sql, scope: Scope, window: ExportWindow): AsyncGenerator<ExportedMeter> {
  const channels = await rows<ChannelRow>(sql, SELECT_CHANNELS, [...scope.place]);
  const names = new Map(channels.map((row) => [row.channel_id, row]));
  for (let after = 0; ; ) {
    const page = await rows<MeterRow>(sql, NEXT_METERS, [...scope.place, after, METERS_A_PAGE]);
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.meter_id;
    const ids = page.map(({ meter_id }) => meter_id as MeterId);
    const held = await heldIntervals(sql, scope, ids, window.from, window.to);
    for (const row of page) {
      const meter = exportedMeter(row, held.get(row.meter_id as MeterId) ?? [], names, window);
      if (meter.channels.length > 0) yield meter;
    }
  }
}

function exportedMeter(
  row: MeterRow,
  held: readonly QualifiedInterval[],
  names: ReadonlyMap<number, ChannelRow>,
  { trust }: ExportWindow,
): ExportedMeter {
  const kept = held
    .map((one) => ({ ...one, decisive: isDecisive(one.trustAtCapture, row.state, one.protection) }))
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
  where m.utility_id = $1 and m.island_id = $2 and m.meter_id > $3 order by m.meter_id limit $4`;

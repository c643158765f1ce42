import { INTERVAL_SECONDS, type UnixSeconds } from "../time/calendar.ts";
import type { CompanionProfile } from "./companion-profile.ts";
import { QUANTITIES, wireValue } from "./quantity.ts";
import type { ProfileOwner } from "./rows.ts";

/** A column of a load profile as it was measured, whatever becomes of it on its way. */
export interface MeasuredColumn {
  /** `1.0.1.8.0.255`. */
  readonly obis: string;
  /** A value counts `10^scaler` of its unit. */
  readonly scaler: number;
  /** When each interval ended, by true time, and the count that its row has. */
  readonly values: readonly (readonly [at: UnixSeconds, count: number])[];
}

/** What a meter has measured in the intervals that end in `(from, to]` and are over: no key, no line and no clock of its own stands between. */
export function measuredBetween(
  meter: ProfileOwner & { readonly profile: CompanionProfile },
  from: UnixSeconds,
  to: UnixSeconds,
): readonly MeasuredColumn[] {
  const { profile } = meter;
  const first = Math.max(Math.floor(from / INTERVAL_SECONDS), meter.firstInterval) + 1;
  const last = Math.floor(Math.min(to, meter.now()) / INTERVAL_SECONDS);
  const ends = Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => (first + n) * INTERVAL_SECONDS);
  return profile.loadProfile.columns.flatMap((column) => {
    if (column === "clock" || column === "status") return [];
    const quantity = QUANTITIES[column];
    const scaler = profile.scalers[quantity.kind];
    return [
      { obis: quantity.obis, scaler, values: ends.map((at) => [at, wireValue(quantity, meter, at, scaler)] as const) },
    ];
  });
}

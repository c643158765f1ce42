import type { MeterProfile } from "../profile/meter-profile.ts";
import type { RegisterRecord } from "./result.ts";

/** Active power from the grid, to the grid, and the sum of both, with its factor to W (Blue Book 7.5.5.1, D = 7). */
const DRAWN = "1-0:1.7.0";
const FED = "1-0:2.7.0";
const SUM = "1-0:16.7.0";
const WATTS: Readonly<Record<string, number>> = { W: 1, kW: 1000 };

/**
 * A meter's power as every page, chart and event means it, W: what is drawn from the grid less what is fed into it, of one
 * telegram or session. A meter that is known to measure both ways (`bothWays`) and tells that it draws nothing has not said
 * yet what it feeds; of any other, what it does not say counts as nothing.
 */
export function netPowerW(
  registers: readonly Pick<RegisterRecord, "obis" | "value" | "unit">[],
  bothWays: boolean,
): number | undefined {
  const watts = (obis: string): number | undefined => {
    const register = registers.findLast((one) => one.obis === obis);
    const factor = WATTS[register?.unit ?? ""];
    return typeof register?.value === "number" && factor !== undefined ? register.value * factor : undefined;
  };
  const [drawn, fed] = [watts(DRAWN), watts(FED)];
  if (drawn === undefined && fed === undefined) return watts(SUM);
  if (bothWays && (drawn ?? 0) + (fed ?? 0) === 0 && (drawn === undefined || fed === undefined)) return undefined;
  return (drawn ?? 0) - (fed ?? 0);
}

/** Whether meters of a profile are asked for what they feed in. */
export function measuresBothWays(profile: Pick<MeterProfile, "registers"> | undefined): boolean {
  return profile?.registers.includes(FED) === true;
}

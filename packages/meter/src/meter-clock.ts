import { DAY_OF_MONTH, dateTime, MeterClock } from "@meterkeep/dlms";
import type { CompanionProfile } from "./profile/companion-profile.ts";
import { STANDARD_OFFSET_SECONDS } from "./time/calendar.ts";

const MARCH = 3;
const OCTOBER = 10;

/** The clock of one meter. `onOffset` is told how many seconds it is off after it was set. */
export function meterClock(
  profile: Pick<CompanionProfile, "summerTime" | "loadProfile">,
  parts: {
    readonly nowSeconds: () => number;
    readonly offsetSeconds: number;
    readonly onOffset: (seconds: number, beforeSeconds: number) => void;
  },
): MeterClock {
  const lastSunday = (month: number, hour: number) =>
    dateTime({ month, dayOfMonth: DAY_OF_MONTH.last, dayOfWeek: 7, hour, minute: 0, second: 0 });
  const clock: MeterClock = new MeterClock({
    now: () => parts.nowSeconds() * 1000,
    offset: parts.offsetSeconds * 1000,
    settings: {
      timeZone: -STANDARD_OFFSET_SECONDS / 60,
      daylightSavingsBegin: lastSunday(MARCH, 2),
      daylightSavingsEnd: lastSunday(OCTOBER, 3),
      daylightSavingsDeviation: 60,
      daylightSavingsEnabled: profile.summerTime,
    },
    measuringPeriodSeconds: profile.loadProfile.capturePeriodSeconds,
    onAdjusted: (before) => parts.onOffset(clock.offset / 1000, before / 1000),
  });
  return clock;
}

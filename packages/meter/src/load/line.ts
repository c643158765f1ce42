import type { UnixSeconds } from "../time/calendar.ts";

/** The line that feeds a home, as the home sees it. */
export interface Line {
  /** Power through the line in W. */
  powerW(at: UnixSeconds): number;
  /** Mean power of a finished interval in W. */
  meanPowerW(interval: number): number;
  /** Voltage in V at a place along the line, 0 to 1, while it carries the power. */
  voltageAtHome(at: UnixSeconds, feederW: number, position: number): number;
  /** Drops what was summed up from the interval on: a home behind it has switched. */
  forgetFrom(interval: number): void;
}

import type { MeterId } from "../inventory/meter.ts";
import type { HeldInterval } from "./day/day-row.ts";

/** A value that came in, and whose it is. */
export interface ArrivedInterval extends HeldInterval {
  readonly meter: MeterId;
  /** Of the profile it is from, seconds, where that is known. */
  readonly periodSeconds?: number | undefined;
}

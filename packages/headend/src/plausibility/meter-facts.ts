import type { Meter } from "../inventory/meter.ts";
import type { Stretch } from "../reading/coverage.ts";
import type { Direction } from "./quantity.ts";

/** A register as it was read or pushed at a moment. */
export interface RegisterPoint {
  readonly direction: Direction;
  /** Milliseconds since 1970 UTC at the source. */
  readonly at: number;
  readonly wattHours: number;
  readonly source: "session" | "push";
}

/** What is known of a meter and its day beside the values of its load profile. */
export interface MeterFacts {
  readonly meter: Meter["id"];
  readonly label: string;
  readonly role: Meter["role"];
  readonly phases: 1 | 3;
  /** Of a transformer meter: what its transformer is rated for. */
  readonly ratedKva: number | undefined;
  /** How much more flows than it measures, by its instrument transformers, where it says that it is behind any. */
  readonly ratios: { readonly current?: number; readonly voltage?: number };
  /** Registers of the day, both of its midnights included, by time. */
  readonly registers: readonly RegisterPoint[];
  /** When its relay was open, as its log says. */
  readonly open: readonly Stretch[];
  /** Whether the relay lets supply pass now; undefined where it has none or does not say. */
  readonly supplied: boolean | undefined;
  /** The voltage that was read last, V. */
  readonly voltage: number | undefined;
  /** Values of the day that contradict others of the same instant, rows that end between two intervals, and intervals without a row and a reason. */
  readonly times: { readonly contradicted: number; readonly offGrid: number; readonly absent: number };
}

import type { Holdings } from "./discover.ts";

/** What `meterkeep read` found. */
export interface MeterRead extends Omit<Holdings, "deviceName"> {
  readonly meter: { readonly systemTitle: string | null; readonly deviceName: string | null };
  /** How this client was let in, in words. */
  readonly association: string;
}

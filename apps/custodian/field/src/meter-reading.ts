/** What a meter said at a visit. */
export interface MeterReading {
  readonly at: number;
  readonly deviceName: string | undefined;
  /** The meter's own clock, as it says it. */
  readonly clock: string | undefined;
  readonly registers: readonly { readonly name: string; readonly obis: string; readonly value: string }[];
}

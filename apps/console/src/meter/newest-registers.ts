import type { RegisterReading } from "@meterkeep/api";

/** The newest reading of each OBIS code, in the order of the codes. */
export function newestRegisters(readings: readonly RegisterReading[]): readonly RegisterReading[] {
  const newest = new Map<string, RegisterReading>();
  for (const reading of readings) {
    const known = newest.get(reading.obis);
    if (known === undefined || Date.parse(reading.time) > Date.parse(known.time)) newest.set(reading.obis, reading);
  }
  return [...newest.values()].toSorted((a, b) => a.obis.localeCompare(b.obis, "en", { numeric: true }));
}

/** Events of the stream laid over the overview that the page loaded: whole lines replace lines, nothing is guessed. */
import type { MeterSummary, Overview, WarningsEvent } from "@meterkeep/api";

/** The overview with the given lines replaced or added; the same object when nothing changed. */
export function mergeMeters(overview: Overview, changed: ReadonlyMap<string, MeterSummary>, asOf: string): Overview {
  // A large fleet is counted, not listed: there are no lines to replace.
  if (changed.size === 0 || overview.feeders !== undefined) return overview;
  const known = new Set<string>();
  const meters = overview.meters.map((meter) => {
    known.add(meter.systemTitle);
    return changed.get(meter.systemTitle) ?? meter;
  });
  for (const [systemTitle, meter] of changed) if (!known.has(systemTitle)) meters.push(meter);
  return { ...overview, asOf, meters };
}

/** The overview with the warnings, and the custodian's state, as they are now. */
export function mergeWarnings(overview: Overview, { warnings, custodian }: WarningsEvent): Overview {
  return { ...overview, warnings, custodian };
}

/** Whether there is no grid yet, or one of the town's meters has no place in it: the grid is read before its meters have one. */
export function standsOutside(overview: Overview, meters: Iterable<MeterSummary>): boolean {
  if (overview.feeders !== undefined) return false;
  if (overview.grid === undefined) return true;
  const feeders = new Map(overview.grid.feeders.map((feeder) => [feeder.id, feeder]));
  for (const { systemTitle, kind, role, feeder: id } of meters) {
    if (kind === "real") continue;
    const feeder = id === undefined ? undefined : feeders.get(id);
    if (feeder === undefined) return true;
    if (role === "home" && !feeder.homes.includes(systemTitle)) return true;
  }
  return false;
}

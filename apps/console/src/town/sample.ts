/** Meters for the tests of this folder. */
import type { MeterSummary } from "@meterkeep/api";

export function sampleMeter(systemTitle: string, changes: Partial<MeterSummary> = {}): MeterSummary {
  return {
    systemTitle,
    label: `Home ${systemTitle}`,
    kind: "simulated",
    role: "home",
    profile: "idis-p2",
    feeder: "F1",
    takeover: "proven",
    takeoverPhase: "done",
    trust: "trusted",
    trustSentence: "Nobody could have listened.",
    supply: "connected",
    authenticated: true,
    stale: false,
    ...changes,
  };
}

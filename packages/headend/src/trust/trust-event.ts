import type { EventData } from "@meterkeep/api";
import type { TakeoverState } from "@meterkeep/api/custodian";
import type { EventLine } from "../event/event-hub.ts";
import type { Meter } from "../inventory/meter.ts";
import type { TrustChangeRecord } from "../work/finish.ts";

/** A change of trust as watchers get it. */
export function trustEvent(
  meter: Meter,
  takeover: TakeoverState | undefined,
  trust: TrustChangeRecord,
): EventData["takeover"] {
  return {
    meter: meter.title,
    at: new Date(trust.decidedAt).toISOString(),
    step: takeover?.step ?? "done",
    sentence: trust.sentence,
    grade: takeover?.grade ?? "none",
    verdict: takeover?.verdict ?? "pending",
  };
}

/** The same in one line for people. */
export function trustLine(meter: Meter, trust: TrustChangeRecord): EventLine {
  const isBad = trust.state === "quarantined" || trust.state === "distrusted" || trust.state === "degraded";
  return {
    sentence: `${meter.label} is ${trust.state} now. ${trust.sentence}`,
    meter: meter.title,
    severity: isBad ? "warning" : trust.state === "trusted" ? "notice" : "info",
  };
}

import type { LedgerDraft } from "@meterkeep/ledger";
import type { Scope } from "../database/scope.ts";
import type { TrustChangeRecord } from "../work/finish.ts";
import type { Trust } from "./trust.ts";

/** What a change of trust is in the ledger: written before the change is. */
export function trustDraft(
  scope: Scope,
  meter: string,
  from: Pick<Trust, "state" | "reason">,
  change: TrustChangeRecord,
): LedgerDraft {
  return {
    at: change.decidedAt,
    kind: "trust-changed",
    principal: "head-end",
    utility: scope.utility,
    island: scope.island,
    meter,
    body: {
      from: from.state,
      to: change.state,
      reason: change.reason,
      sentence: change.sentence,
      effective: new Date(change.effective).toISOString(),
    },
  };
}

/** The change from what holds to what the facts amount to, or undefined where they are the same. */
export function changeOf(
  now: Pick<Trust, "state" | "reason">,
  judged: Trust,
  decidedAt: number,
  effective: number,
): TrustChangeRecord | undefined {
  if (now.state === judged.state && now.reason === judged.reason) return undefined;
  return { ...judged, decidedAt, effective };
}

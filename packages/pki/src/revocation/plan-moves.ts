import { PkiError } from "../errors.ts";
import { isOver, lastStage, REVOCATION_STAGES, type RevocationPlan } from "../registry/pki-store.ts";

/** What a person may do with a revocation that is under way. */
export const REVOCATION_MOVES = ["start", "stop", "next", "lift", "withdraw"] as const;
export type RevocationMove = (typeof REVOCATION_MOVES)[number];

type Place = Pick<RevocationPlan, "stage" | "state" | "finished">;

/** Where a move leads to. @throws PkiError `revocation-refused` where the plan does not stand where that begins */
export function requireMoved(plan: RevocationPlan, move: RevocationMove): Place {
  const to = moved(plan, move);
  if (to !== undefined) return to;
  const where = `revocation ${plan.id} is at ${plan.stage}, ${plan.state}`;
  throw new PkiError("revocation-refused", `${where}: it cannot ${move}`);
}

function moved(plan: RevocationPlan, move: RevocationMove): Place | undefined {
  const { stage, state, finished } = plan;
  switch (move) {
    case "start":
      return state === "planned" || state === "stopped" ? { stage, state: "running", finished } : undefined;
    case "stop":
      return state === "running" ? { stage, state: "stopped", finished } : undefined;
    case "next": {
      const next = stage === lastStage(plan) ? undefined : REVOCATION_STAGES[REVOCATION_STAGES.indexOf(stage) + 1];
      // Meters that cannot be reached must not keep an island from being cut.
      const mayGo = state === "done" || (stage === "remove" && state !== "planned");
      return next !== undefined && mayGo ? { stage: next, state: "running", finished: 0 } : undefined;
    }
    case "withdraw":
      // Once it has run the authority itself is revoked, for good.
      return state === "planned" ? { stage, state: "withdrawn", finished } : undefined;
    case "lift":
      return isOver(plan) && stage === "cut" ? { stage, state, finished } : undefined;
    default:
      return move satisfies never;
  }
}

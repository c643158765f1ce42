import type { SessionOutcome } from "@meterkeep/api";
import { codeOf, HeadEndError } from "../errors.ts";

const LOST: ReadonlySet<string> = new Set([
  "connect-timeout",
  "connection-failed",
  "connection-closed",
  "response-timeout",
  "exchange-aborted",
  "line-silent",
  "line-refused",
  "line-closed",
  "line-rejected",
]);

/** How a session ended that ended with `error`; undefined is well. */
export function outcomeOf(error: unknown): SessionOutcome {
  if (error === undefined) return "done";
  const code = codeOf(error);
  if (LOST.has(code)) return "lost";
  const isRefusal = error instanceof HeadEndError && (code === "meter-refused" || code === "seal-refused");
  return isRefusal ? "refused" : "failed";
}

/** The same as the custodian is told. */
export function custodianOutcome(error: unknown): "completed" | "lost" | "failed" {
  const outcome = outcomeOf(error);
  if (outcome === "done") return "completed";
  return outcome === "lost" ? "lost" : "failed";
}

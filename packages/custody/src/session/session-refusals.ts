import type { SessionAdvance } from "@meterkeep/api/custodian";
import { type DlmsError, type DlmsErrorCode, SessionError } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Line } from "../conversation/line.ts";
import { CustodyError } from "../errors.ts";

/** What a handle of nobody's, or of somebody else's, gets. */
export function sessionUnknown(): CallRefusal {
  return new CallRefusal("session-unknown", "no such session is open for this principal");
}

/** What meters refuse an association with. Anybody on the line can say it: it is told as it came, and proves nothing. */
const REFUSALS: readonly DlmsErrorCode[] = [
  "association-rejected",
  "exception-response",
  "service-error",
  "invocation-counter-error",
  "action-refused",
];

/**
 * Whether a meter refused an association because another conversation with it came between: its counters are above ours, or it has
 * changed the keys. A counter that was never given out is no sign of one of ours.
 */
export function isOvertaken(error: DlmsError, line: Pick<Line, "isAlone" | "hasGivenBelow">): boolean {
  if (line.isAlone || !REFUSALS.includes(error.code)) return false;
  const expected = error instanceof SessionError ? error.expectedInvocationCounter : undefined;
  return expected === undefined || line.hasGivenBelow(expected);
}

/** What the caller hears of an association that came to nothing. */
export function failureOf(error: DlmsError, isOvertaken: boolean): SessionAdvance {
  if (isOvertaken)
    return {
      kind: "failed",
      code: "session-overtaken",
      message: `the meter refused it (${error.message}), and another session with it was begun after this one: open a new one`,
    };
  if (REFUSALS.includes(error.code)) return { kind: "failed", code: "association-rejected", message: error.message };
  if (error.code === "unexpected-response")
    return { kind: "failed", code: "association-malformed", message: error.message };
  return { kind: "failed", code: "not-authentic", message: "the meter did not prove its keys" };
}

/** Throws what a caller is told of an error. */
export function asRefused(error: unknown): never {
  throw asCallRefusal(error);
}

/** What a caller is told of an error. */
export function asCallRefusal(error: unknown): unknown {
  if (!(error instanceof CustodyError)) return error;
  if (error.code === "counter-line-exhausted")
    return new CallRefusal("counter-exhausted", error.message, { cause: error });
  if (error.code === "vault-key-unknown") return new CallRefusal("keys-missing", error.message, { cause: error });
  return error;
}

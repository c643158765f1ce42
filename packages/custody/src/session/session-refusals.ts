import type { SessionAdvance } from "@meterkeep/api/custodian";
import type { DlmsError } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import { CustodyError } from "../errors.ts";

/** What a handle of nobody's, or of somebody else's, gets. */
export function sessionUnknown(): CallRefusal {
  return new CallRefusal("session-unknown", "no such session is open for this principal");
}

/** What the caller hears of an association that came to nothing. */
export function failureOf(error: DlmsError): SessionAdvance {
  if (error.code === "association-rejected" || error.code === "exception-response" || error.code === "service-error")
    return { kind: "failed", code: "association-rejected", message: error.message };
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

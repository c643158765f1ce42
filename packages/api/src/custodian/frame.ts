import { type Codec, c, type Infer } from "@meterkeep/dlms";
import { oneOf } from "./wire.ts";

/** The most octets of a frame after its length field. */
export const MAX_FRAME_BYTES = 1024 * 1024;

/** Octets of the length field before each frame. */
export const FRAME_LENGTH_BYTES = 4;

/** What a frame is. */
export const FRAME_KINDS = ["request", "response", "error"] as const;

/**
 * A frame after its length: kind, correlation, method, payload.
 *
 * A response and an error repeat the correlation and the method of their request. Correlations are the caller's and
 * must differ among the requests it has open. Method 0 is a request by name: what is not in the table is refused, and
 * the ledger then says what was asked for.
 */
export const frame = c.struct({
  kind: oneOf(FRAME_KINDS),
  correlation: c.unsigned32,
  method: c.unsigned8,
  payload: c.restBytes,
});
export type Frame = Infer<typeof frame>;

/** The method number of a request by name; its payload starts with the name. */
export const METHOD_BY_NAME = 0;

/** The payload of a request by name. */
export const namedRequest = c.struct({ name: c.utf8({ max: 64 }), payload: c.restBytes });

/** Why a call was not carried out. */
export const CUSTODIAN_CALL_ERROR_CODES = [
  "method-not-offered",
  "method-not-permitted",
  "request-malformed",
  "unknown-meter",
  "meter-busy",
  "meter-not-taken-over",
  "session-unknown",
  "session-not-established",
  "contact-unknown",
  "upload-unknown",
  "upload-too-large",
  "keys-missing",
  "counter-exhausted",
  "record-refused",
  "seal-budget-exhausted",
  "too-many-open",
  "custodian-closing",
  "custodian-failed",
  "keys-unsettled",
  "key-unknown",
  "key-transition-refused",
  "key-policy-refused",
  "ledger-halted",
  "pki-refused",
  "island-cut",
  "identity-revoked",
  "head-end-invalid",
  "head-end-unknown",
  "backup-not-possible",
  "backup-unknown",
  "lease-refused",
  "approval-required",
  "approval-refused",
  "change-refused",
  "manifest-refused",
  "authority-spoilt",
  "meter-left",
  "meter-lent",
  "meter-leaving",
] as const;
export type CustodianCallCode = (typeof CUSTODIAN_CALL_ERROR_CODES)[number];

/** The payload of an error frame. */
export const callError: Codec<{ readonly code: CustodianCallCode; readonly message: string }> = c.struct({
  code: oneOf(CUSTODIAN_CALL_ERROR_CODES),
  message: c.utf8({ max: 1024 }),
});

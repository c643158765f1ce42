/** Every code a `TransportError` can carry; docs/errors.md says what to do about each. */
export const TRANSPORT_ERROR_CODES = [
  "connect-timeout",
  "connection-failed",
  "connection-closed",
  "response-timeout",
  "exchange-aborted",
  "exchange-busy",
  "frame-malformed",
  "listen-failed",
] as const;
export type TransportErrorCode = (typeof TRANSPORT_ERROR_CODES)[number];

/** Octets could not be carried to or from a meter. What the meter says is never of this class. */
export class TransportError extends Error {
  readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "TransportError";
    this.code = code;
  }
}

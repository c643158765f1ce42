/**
 * Every code a `DlmsError` can carry, in the order of docs/errors.md.
 *
 * The first group is what a decoder says about octets it was given, the second what an encoder says about a value,
 * the third what ciphering says.
 */
export const DLMS_ERROR_CODES = [
  "truncated",
  "trailing-bytes",
  "unknown-tag",
  "unknown-value",
  "wrong-type",
  "wrong-length",
  "wrong-value",
  "bad-text",
  "too-deep",
  "too-many",
  "invalid-value",
  "out-of-range",
  "bad-hex",
  "authentication-failed",
  "protection-mismatch",
  "compression-unsupported",
  "key-missing",
] as const;

/** What an association or a request with a server can come to; `SessionError` carries these. */
export const SESSION_ERROR_CODES = [
  "association-rejected",
  "server-not-authentic",
  "counter-replayed",
  "exception-response",
  "invocation-counter-error",
  "service-error",
  "data-access-refused",
  "action-refused",
  "unexpected-response",
  "response-unprotected",
  "response-too-long",
  "request-too-long",
  "service-not-negotiated",
  "not-associated",
  "line-missing",
  "object-unknown",
  "counter-hint-refused",
] as const;
export type SessionErrorCode = (typeof SESSION_ERROR_CODES)[number];

/** What a line (HDLC, wired M-Bus, an optical port) or a transfer in blocks can come to; `LineError` carries these. */
export const LINE_ERROR_CODES = [
  "line-silent",
  "line-refused",
  "line-closed",
  "line-rejected",
  "line-misused",
  "apdu-too-long",
  "transfer-aborted",
  "transfer-inconsistent",
  "opening-refused",
  "opening-malformed",
] as const;
export type LineErrorCode = (typeof LINE_ERROR_CODES)[number];

/** A stable name for what went wrong; docs/errors.md says what to do about each. */
export type DlmsErrorCode = (typeof DLMS_ERROR_CODES)[number] | SessionErrorCode | LineErrorCode;

/** The one error class of the package. The message says what, where and, where that helps, what to do. */
export class DlmsError extends Error {
  readonly code: DlmsErrorCode;

  constructor(code: DlmsErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "DlmsError";
    this.code = code;
  }
}

/**
 * Octets that are not what their declaration says.
 *
 * `offset` counts from the first octet given to `decode`; `path` names the field, for instance `target.instance` or
 * `value[3].scaler`.
 */
export class DecodeError extends DlmsError {
  readonly offset: number;
  readonly #detail: string;
  #path = "";

  constructor(code: DlmsErrorCode, offset: number, detail = "", options?: { cause?: unknown }) {
    super(code, "", options);
    this.name = "DecodeError";
    this.offset = offset;
    this.#detail = detail;
    this.#describe();
  }

  /** The field that could not be decoded, outermost first; empty at the root. */
  get path(): string {
    return this.#path;
  }

  /** Puts the name of the enclosing field before the path: called while the error travels outwards. */
  within(field: string | number): this {
    const name = typeof field === "number" ? `[${field}]` : field;
    const joint = this.#path === "" || this.#path.startsWith("[") ? "" : ".";
    this.#path = name + joint + this.#path;
    this.#describe();
    return this;
  }

  #describe(): void {
    const where = this.#path === "" ? "" : `, ${this.#path}`;
    const what = this.#detail === "" ? "" : `: ${this.#detail}`;
    this.message = `${this.code} at ${this.offset}${where}${what}`;
  }
}

/** Adds the field's name when `error` is a `DecodeError`; anything else passes unchanged. */
export function within(error: unknown, field: string | number): unknown {
  return error instanceof DecodeError ? error.within(field) : error;
}

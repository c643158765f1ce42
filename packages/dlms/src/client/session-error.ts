import { DlmsError, type SessionErrorCode } from "../errors.ts";

/** What a server said when it refused, in its own words, and what may help to go on. */
export interface SessionErrorDetails {
  /** The name of the result or diagnostic: `read-write-denied`, `authentication-failure`, … */
  readonly reason?: string;
  /** The lowest counter that the server says it would accept. Unauthenticated: a hint, not a fact. */
  readonly expectedInvocationCounter?: number;
  readonly cause?: unknown;
}

/** An association or a request that did not succeed. `code` is for programs, `reason` is the server's word for it. */
export class SessionError extends DlmsError {
  declare readonly code: SessionErrorCode;
  readonly reason: string | undefined;
  readonly expectedInvocationCounter: number | undefined;

  constructor(code: SessionErrorCode, message: string, details: SessionErrorDetails = {}) {
    super(code, message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = "SessionError";
    this.reason = details.reason;
    this.expectedInvocationCounter = details.expectedInvocationCounter;
  }
}

/** What is wrong with a frame, as far as the link can tell. docs/errors.md explains each code. */
export const LINK_ERROR_CODES = [
  "frame-truncated",
  "hdlc-malformed",
  "hdlc-header-check",
  "hdlc-frame-check",
  "mbus-checksum",
  "mbus-malformed",
  "p1-not-text",
  "p1-checksum",
  "p1-too-long",
  "segment-missing",
  "block-malformed",
  "block-missing",
  "block-conflict",
  "transfer-too-long",
] as const;
export type LinkErrorCode = (typeof LINK_ERROR_CODES)[number];

/** A fault found in a stream of octets: a value, not an exception, since a stream goes on after it. */
export interface Fault<Code extends string = LinkErrorCode> {
  readonly code: Code;
  /** Octets from the beginning of the stream. */
  readonly offset: number;
  /** What failed and how, as a sentence. */
  readonly message: string;
}

/** Writes a number as hex with at least `digits` digits, for messages. */
export function hex(value: number, digits = 2): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}

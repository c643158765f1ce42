import { DlmsError, type LineErrorCode } from "../errors.ts";

/** A line or a transfer in blocks that failed. What is on its way is lost; the association above it should be ended. */
export class LineError extends DlmsError {
  declare readonly code: LineErrorCode;

  constructor(code: LineErrorCode, message: string, options?: { cause?: unknown }) {
    super(code, message, options);
    this.name = "LineError";
  }
}

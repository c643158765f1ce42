import type { CustodianCallCode } from "./frame.ts";

/** What can go wrong on the way to the custodian, before it could answer. */
export const CUSTODIAN_CHANNEL_ERROR_CODES = [
  "custodian-unreachable",
  "custodian-not-recognised",
  "channel-closed",
  "channel-malformed",
] as const;
export type CustodianChannelCode = (typeof CUSTODIAN_CHANNEL_ERROR_CODES)[number];

/** A call to the custodian that was refused by it (`CustodianCallCode`), or did not reach it. */
export class CustodianCallError extends Error {
  readonly code: CustodianCallCode | CustodianChannelCode;

  constructor(code: CustodianCallCode | CustodianChannelCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "CustodianCallError";
    this.code = code;
  }
}

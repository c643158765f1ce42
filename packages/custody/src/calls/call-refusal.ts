import type { CustodianCallCode } from "@meterkeep/api/custodian";

/** A call that is not carried out: its code and message go to the caller, so they tell nothing that is secret. */
export class CallRefusal extends Error {
  readonly code: CustodianCallCode;

  constructor(code: CustodianCallCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "CallRefusal";
    this.code = code;
  }
}

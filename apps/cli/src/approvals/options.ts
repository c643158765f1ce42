import type { OperatorOptions } from "../operator/options.ts";

/** Where a user key is. */
export interface KeyChoice {
  readonly key?: string;
  readonly pkcs11?: string;
  readonly token?: string;
  readonly keyLabel?: string;
  readonly pinFile?: string;
}

export interface SignOptions extends OperatorOptions, KeyChoice {
  readonly as: string;
}

export interface InviteOptions extends OperatorOptions {
  readonly name: string;
  readonly roles: string;
}

export interface EnrolOptions extends InviteOptions, KeyChoice {}

export interface ReplaceOptions extends OperatorOptions, KeyChoice {
  /** Of the new key. */
  readonly id: string;
}

export interface ReasonOptions extends OperatorOptions {
  readonly requester?: string;
  readonly reason?: string;
}

export interface BreakGlassOptions extends ReasonOptions {
  readonly minutes: string;
}

export interface MakeOptions {
  readonly requester: string;
  readonly reason: string;
  readonly workOrder: string;
  readonly utility: string;
  readonly island: string;
  readonly hours: string;
  readonly load: string;
}

import type { ACTION_RESULTS, DATA_ACCESS_RESULTS } from "../xdlms/results.ts";

/** The reasons that both Data-Access-Result and Action-Result know. */
export type RefusalReason = Exclude<keyof typeof DATA_ACCESS_RESULTS & keyof typeof ACTION_RESULTS, "success">;

/** What a handler returns instead of a value when it will not do what was asked: the reason goes to the client. */
export class AccessRefusal {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason) {
    this.reason = reason;
  }
}

/** Refuses a read, a write or a call with a reason of the standard (Green Book 9.5, Data-Access-Result, Action-Result). */
export function refuse(reason: RefusalReason): AccessRefusal {
  return new AccessRefusal(reason);
}

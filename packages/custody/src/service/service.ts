import type { CustodianMethod, CustodianRequest, CustodianResponse } from "@meterkeep/api/custodian";
import type { Caller } from "../calls/caller.ts";

/** The custodian's methods, each told who calls. */
export type CustodianService = {
  readonly [M in CustodianMethod]: (request: CustodianRequest<M>, caller: Caller) => Promise<CustodianResponse<M>>;
};

import type { CustodianMethod, CustodianRequest, CustodianResponse } from "@meterkeep/api/custodian";
import type { Caller } from "../calls/caller.ts";

/** What is asked so often that it is answered in the same turn of the event loop where nothing has to be waited for. */
type AnsweredAtOnce = "seal";

/** The custodian's methods, each told who calls. None throws: what goes wrong is a promise that is rejected. */
export type CustodianService = {
  readonly [M in CustodianMethod]: (
    request: CustodianRequest<M>,
    caller: Caller,
  ) => Promise<CustodianResponse<M>> | (M extends AnsweredAtOnce ? CustodianResponse<M> : never);
};

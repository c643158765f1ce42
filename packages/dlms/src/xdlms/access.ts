import { c } from "../codec/c.ts";
import type { Infer } from "../codec/codec.ts";
import { data } from "../data/data.ts";
import { attributeDescriptor, methodDescriptor, selectiveAccess } from "./descriptors.ts";
import { longInvokeIdAndPriority } from "./invoke-id.ts";
import { emptyOrDateTime } from "./notification.ts";
import { actionResult, dataAccessResult } from "./results.ts";

// Here the selection is not optional: the tag says whether there is one.
const selection = c.struct({ attribute: attributeDescriptor, access: selectiveAccess });

/** Access-Request-Specification ::= CHOICE { get [1], set [2], action [3], get-with-selection [4], set-… [5] } */
const specification = c.choice({
  get: [1, attributeDescriptor],
  set: [2, attributeDescriptor],
  action: [3, methodDescriptor],
  "get-with-selection": [4, selection],
  "set-with-selection": [5, selection],
});

/** Access-Request ::= SEQUENCE { long-invoke-id-and-priority, date-time, access-request-body } */
export const accessRequest = c.struct({
  invokeIdAndPriority: longInvokeIdAndPriority,
  dateTime: emptyOrDateTime,
  specifications: c.sequenceOf(specification),
  data: c.sequenceOf(data),
});
export type AccessRequest = Infer<typeof accessRequest>;

/** Access-Response ::= SEQUENCE { long-invoke-id-and-priority, date-time, access-response-body } */
export const accessResponse = c.struct({
  invokeIdAndPriority: longInvokeIdAndPriority,
  dateTime: emptyOrDateTime,
  specifications: c.optional(c.sequenceOf(specification)),
  data: c.sequenceOf(data),
  results: c.sequenceOf(
    c.choice({ get: [1, dataAccessResult], set: [2, dataAccessResult], action: [3, actionResult] }),
  ),
});
export type AccessResponse = Infer<typeof accessResponse>;

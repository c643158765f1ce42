import { c } from "../codec/c.ts";
import type { Codec, Infer } from "../codec/codec.ts";
import { data } from "../data/data.ts";
import { dataOctets } from "../data/data-octets.ts";
import { attributeDescriptor, methodDescriptor } from "./descriptors.ts";
import { longInvokeIdAndPriority } from "./invoke-id.ts";
import { emptyOrDateTime } from "./notification.ts";
import { actionResult, dataAccessResult } from "./results.ts";

/** Access-Request-Specification ::= CHOICE { get [1], set [2], action [3], get-with-selection [4], set-… [5] } */
function specificationOf<T>(value: Codec<T>) {
  // Here the selection is not optional: the tag says whether there is one.
  const selection = c.struct({
    attribute: attributeDescriptor,
    access: c.struct({ selector: c.unsigned8, parameters: value }),
  });
  return c.choice({
    get: [1, attributeDescriptor],
    set: [2, attributeDescriptor],
    action: [3, methodDescriptor],
    "get-with-selection": [4, selection],
    "set-with-selection": [5, selection],
  });
}

function requestOf<T>(value: Codec<T>) {
  return c.struct({
    invokeIdAndPriority: longInvokeIdAndPriority,
    dateTime: emptyOrDateTime,
    specifications: c.sequenceOf(specificationOf(value)),
    data: c.sequenceOf(value),
  });
}

function responseOf<T>(value: Codec<T>) {
  return c.struct({
    invokeIdAndPriority: longInvokeIdAndPriority,
    dateTime: emptyOrDateTime,
    specifications: c.optional(c.sequenceOf(specificationOf(value))),
    data: c.sequenceOf(value),
    results: c.sequenceOf(
      c.choice({ get: [1, dataAccessResult], set: [2, dataAccessResult], action: [3, actionResult] }),
    ),
  });
}

/** Access-Request ::= SEQUENCE { long-invoke-id-and-priority, date-time, access-request-body } */
export const accessRequest = requestOf(data);
export type AccessRequest = Infer<typeof accessRequest>;
/** Access-Request with its Data as octets. */
export const accessRequestOctets = requestOf(dataOctets);
export type AccessRequestOctets = Infer<typeof accessRequestOctets>;

/** Access-Response ::= SEQUENCE { long-invoke-id-and-priority, date-time, access-response-body } */
export const accessResponse = responseOf(data);
export type AccessResponse = Infer<typeof accessResponse>;
/** Access-Response with its Data as octets. */
export const accessResponseOctets = responseOf(dataOctets);
export type AccessResponseOctets = Infer<typeof accessResponseOctets>;

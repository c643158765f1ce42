import { c } from "../codec/c.ts";
import type { Infer } from "../codec/codec.ts";
import { dataOctets } from "../data/data-octets.ts";
import { attributeDescriptor, methodDescriptor, selectiveAccess } from "../xdlms/descriptors.ts";
import { invokeIdAndPriority } from "../xdlms/invoke-id.ts";
import { actionResult, dataAccessResult } from "../xdlms/results.ts";

// The forms of GET, SET and ACTION that carry one value, with that value left as octets. They say what
// xdlms/get.ts, set.ts and action.ts say; but Data stands last in each of them, so that typed codecs read it where it
// lies, without a generic tree in between. Both client and server take this way: nearly all requests are of this form.

/** The two octets before each form: APDU and choice. */
export const NORMAL = {
  getRequest: [0xc0, 1],
  getResponse: [0xc4, 1],
  getResponseList: [0xc4, 3],
  setRequest: [0xc1, 1],
  setResponse: [0xc5, 1],
  actionRequest: [0xc3, 1],
  actionResponse: [0xc7, 1],
} as const;

/** Selective-Access-Descriptor with its parameters as encoded Data. */
const selection = c.struct({ selector: c.unsigned8, parameters: c.restBytes });

export const getRequestNormal = c.struct({
  invokeIdAndPriority,
  attribute: attributeDescriptor,
  access: c.optional(selection),
});
export type GetRequestNormal = Infer<typeof getRequestNormal>;

const result = c.choice({ data: [0, c.restBytes], "data-access-result": [1, dataAccessResult] });

/** Get-Data-Result where others follow. */
export const listedResult = c.choice({ data: [0, dataOctets], "data-access-result": [1, dataAccessResult] });

export const getResponseNormal = c.struct({ invokeIdAndPriority, result });
export type GetResponseNormal = Infer<typeof getResponseNormal>;

/** Get-Response-With-List, each result with its value as octets. */
export const getResponseList = c.struct({ invokeIdAndPriority, results: c.sequenceOf(listedResult) });

export const setRequestNormal = c.struct({
  invokeIdAndPriority,
  attribute: attributeDescriptor,
  access: c.optional(selectiveAccess),
  value: c.restBytes,
});
export type SetRequestNormal = Infer<typeof setRequestNormal>;

export const setResponseNormal = c.struct({ invokeIdAndPriority, result: dataAccessResult });

export const actionRequestNormal = c.struct({
  invokeIdAndPriority,
  method: methodDescriptor,
  parameters: c.optional(c.restBytes),
});
export type ActionRequestNormal = Infer<typeof actionRequestNormal>;

const presentOrNot = c.optional(result);
/** Some servers that refuse a call leave out even the octet that says that nothing is returned. */
const returned: typeof presentOrNot = {
  ...presentOrNot,
  decode: (r) => (r.remaining === 0 ? undefined : presentOrNot.decode(r)),
};

/** Action-Response-With-Optional-Data with its return parameters as encoded Data. */
export const actionOutcomeOctets = c.struct({ result: actionResult, returned });

export const actionResponseNormal = c.struct({ invokeIdAndPriority, outcome: actionOutcomeOctets });
export type ActionResponseNormal = Infer<typeof actionResponseNormal>;

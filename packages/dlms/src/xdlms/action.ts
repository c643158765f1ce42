import { c } from "../codec/c.ts";
import type { Infer } from "../codec/codec.ts";
import { data } from "../data/data.ts";
import { datablock } from "./datablock.ts";
import { methodDescriptor } from "./descriptors.ts";
import { getDataResult } from "./get.ts";
import { invokeIdAndPriority } from "./invoke-id.ts";
import { actionResult } from "./results.ts";

const methods = c.sequenceOf(methodDescriptor);

/** Action-Request ::= CHOICE { normal [1], next-pblock [2], with-list [3], with-first-pblock [4], … [5], with-pblock [6] } */
export const actionRequest = c.choice({
  normal: [1, c.struct({ invokeIdAndPriority, method: methodDescriptor, parameters: c.optional(data) })],
  "next-pblock": [2, c.struct({ invokeIdAndPriority, blockNumber: c.unsigned32 })],
  "with-list": [3, c.struct({ invokeIdAndPriority, methods, parameters: c.sequenceOf(data) })],
  "with-first-pblock": [4, c.struct({ invokeIdAndPriority, method: methodDescriptor, block: datablock })],
  "with-list-and-first-pblock": [5, c.struct({ invokeIdAndPriority, methods, block: datablock })],
  "with-pblock": [6, c.struct({ invokeIdAndPriority, block: datablock })],
});
export type ActionRequest = Infer<typeof actionRequest>;

const presentOrNot = c.optional(getDataResult);

/** Some servers that refuse a call leave out even the octet that says that nothing is returned. */
const returned: typeof presentOrNot = {
  ...presentOrNot,
  decode: (r) => (r.remaining === 0 ? undefined : presentOrNot.decode(r)),
};

/** Action-Response-With-Optional-Data ::= SEQUENCE { result, return-parameters Get-Data-Result OPTIONAL } */
export const actionOutcome = c.struct({ result: actionResult, returned });
export type ActionOutcome = Infer<typeof actionOutcome>;

/** Action-Response ::= CHOICE { normal [1], with-pblock [2], with-list [3], next-pblock [4] } */
export const actionResponse = c.choice({
  normal: [1, c.struct({ invokeIdAndPriority, outcome: actionOutcome })],
  "with-pblock": [2, c.struct({ invokeIdAndPriority, block: datablock })],
  "with-list": [3, c.struct({ invokeIdAndPriority, outcomes: c.sequenceOf(actionOutcome) })],
  "next-pblock": [4, c.struct({ invokeIdAndPriority, blockNumber: c.unsigned32 })],
});
export type ActionResponse = Infer<typeof actionResponse>;

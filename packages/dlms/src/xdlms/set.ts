import { c } from "../codec/c.ts";
import type { Infer } from "../codec/codec.ts";
import { data } from "../data/data.ts";
import { datablock } from "./datablock.ts";
import { attributeDescriptor, attributeWithSelection, selectiveAccess } from "./descriptors.ts";
import { invokeIdAndPriority } from "./invoke-id.ts";
import { dataAccessResult } from "./results.ts";

const attributes = c.sequenceOf(attributeWithSelection);

/** Set-Request ::= CHOICE { normal [1], with-first-datablock [2], with-datablock [3], with-list [4], … [5] } */
export const setRequest = c.choice({
  normal: [
    1,
    c.struct({
      invokeIdAndPriority,
      attribute: attributeDescriptor,
      access: c.optional(selectiveAccess),
      value: data,
    }),
  ],
  "with-first-datablock": [
    2,
    c.struct({
      invokeIdAndPriority,
      attribute: attributeDescriptor,
      access: c.optional(selectiveAccess),
      block: datablock,
    }),
  ],
  "with-datablock": [3, c.struct({ invokeIdAndPriority, block: datablock })],
  "with-list": [4, c.struct({ invokeIdAndPriority, attributes, values: c.sequenceOf(data) })],
  "with-list-and-first-datablock": [5, c.struct({ invokeIdAndPriority, attributes, block: datablock })],
});
export type SetRequest = Infer<typeof setRequest>;

const results = c.sequenceOf(dataAccessResult);
const blockNumber = c.unsigned32;

/** Set-Response ::= CHOICE { normal [1], datablock [2], last-datablock [3], last-datablock-with-list [4], with-list [5] } */
export const setResponse = c.choice({
  normal: [1, c.struct({ invokeIdAndPriority, result: dataAccessResult })],
  datablock: [2, c.struct({ invokeIdAndPriority, blockNumber })],
  "last-datablock": [3, c.struct({ invokeIdAndPriority, result: dataAccessResult, blockNumber })],
  "last-datablock-with-list": [4, c.struct({ invokeIdAndPriority, results, blockNumber })],
  "with-list": [5, c.struct({ invokeIdAndPriority, results })],
});
export type SetResponse = Infer<typeof setResponse>;

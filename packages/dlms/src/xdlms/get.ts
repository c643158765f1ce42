import { c } from "../codec/c.ts";
import type { Infer } from "../codec/codec.ts";
import { data } from "../data/data.ts";
import { getDatablock } from "./datablock.ts";
import { attributeDescriptor, attributeWithSelection, selectiveAccess } from "./descriptors.ts";
import { invokeIdAndPriority } from "./invoke-id.ts";
import { dataAccessResult } from "./results.ts";

/** Get-Data-Result ::= CHOICE { data [0], data-access-result [1] } */
export const getDataResult = c.choice({ data: [0, data], "data-access-result": [1, dataAccessResult] });
export type GetDataResult = Infer<typeof getDataResult>;

/** Get-Request-Normal ::= SEQUENCE { invoke-id-and-priority, cosem-attribute-descriptor, access-selection OPTIONAL } */
const getRequestNormal = c.struct({
  invokeIdAndPriority,
  attribute: attributeDescriptor,
  access: c.optional(selectiveAccess),
});

/** Get-Request-Next ::= SEQUENCE { invoke-id-and-priority, block-number } */
const getRequestNext = c.struct({ invokeIdAndPriority, blockNumber: c.unsigned32 });

/** Get-Request-With-List ::= SEQUENCE { invoke-id-and-priority, attribute-descriptor-list } */
const getRequestWithList = c.struct({ invokeIdAndPriority, attributes: c.sequenceOf(attributeWithSelection) });

/** Get-Request ::= CHOICE { normal [1], next [2], with-list [3] } */
export const getRequest = c.choice({
  normal: [1, getRequestNormal],
  next: [2, getRequestNext],
  "with-list": [3, getRequestWithList],
});
export type GetRequest = Infer<typeof getRequest>;

/** Get-Response ::= CHOICE { normal [1], with-datablock [2], with-list [3] } */
export const getResponse = c.choice({
  normal: [1, c.struct({ invokeIdAndPriority, result: getDataResult })],
  "with-datablock": [2, c.struct({ invokeIdAndPriority, block: getDatablock })],
  "with-list": [3, c.struct({ invokeIdAndPriority, results: c.sequenceOf(getDataResult) })],
});
export type GetResponse = Infer<typeof getResponse>;

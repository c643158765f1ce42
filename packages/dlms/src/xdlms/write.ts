import { c } from "../codec/c.ts";
import type { Codec, Infer } from "../codec/codec.ts";
import { data } from "../data/data.ts";
import { dataOctets } from "../data/data-octets.ts";
import { dataAccessResult } from "./results.ts";
import { variableAccessOf } from "./variable-access.ts";

function writeRequestOf<T>(value: Codec<T>) {
  return c.struct({ variables: c.sequenceOf(variableAccessOf(value)), values: c.sequenceOf(value) });
}

/** WriteRequest and UnconfirmedWriteRequest ::= SEQUENCE { variable-access-specification, list-of-data } */
export const writeRequest = writeRequestOf(data);
/** WriteRequest with its values as encoded Data. */
export const writeRequestOctets = writeRequestOf(dataOctets);
export type WriteRequestOctets = Infer<typeof writeRequestOctets>;

/** WriteResponse ::= SEQUENCE OF CHOICE { success [0], data-access-error [1], block-number [2] } */
export const writeResponse = c.sequenceOf(
  c.choice({ success: [0, c.nothing], "data-access-error": [1, dataAccessResult], "block-number": [2, c.unsigned16] }),
);
export type WriteResponse = Infer<typeof writeResponse>;
/** One result of a WriteResponse. */
export type WriteResult = WriteResponse[number];

import { c } from "../codec/c.ts";
import type { Codec, Infer } from "../codec/codec.ts";
import { data } from "../data/data.ts";
import { dataOctets } from "../data/data-octets.ts";
import { dataAccessResult } from "./results.ts";
import { shortDatablock, variableAccessOf } from "./variable-access.ts";

/** ReadRequest ::= SEQUENCE OF Variable-Access-Specification */
export const readRequest = c.sequenceOf(variableAccessOf(data));
/** ReadRequest with its parameters as encoded Data. */
export const readRequestOctets = c.sequenceOf(variableAccessOf(dataOctets));
export type ReadRequestOctets = Infer<typeof readRequestOctets>;
/** One variable of a ReadRequest. */
export type VariableAccess = ReadRequestOctets[number];

function readResponseOf<T>(value: Codec<T>) {
  return c.sequenceOf(
    c.choice({
      data: [0, value],
      "data-access-error": [1, dataAccessResult],
      "data-block-result": [2, shortDatablock],
      "block-number": [3, c.unsigned16],
    }),
  );
}

/** ReadResponse ::= SEQUENCE OF CHOICE { data [0], data-access-error [1], data-block-result [2], block-number [3] } */
export const readResponse = readResponseOf(data);
/** ReadResponse with its values as encoded Data. */
export const readResponseOctets = readResponseOf(dataOctets);
export type ReadResponseOctets = Infer<typeof readResponseOctets>;
/** One result of a ReadResponse. */
export type ReadResult = ReadResponseOctets[number];

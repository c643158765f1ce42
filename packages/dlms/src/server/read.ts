import { decode } from "../codec/codec.ts";
import { Writer } from "../codec/writer.ts";
import type { SelectiveAccessDescriptor } from "../cosem/selective-access.ts";
import type { ServedResult } from "../cosem/served.ts";
import { decodeApdu, encodeApdu } from "../cosem/service-octets.ts";
import { DecodeError } from "../errors.ts";
import { type ReadRequestOctets, readRequestOctets, readResponseOctets, type VariableAccess } from "../xdlms/read.ts";
import { DATA_ACCESS_RESULTS } from "../xdlms/results.ts";
import type { ShortDatablock } from "../xdlms/variable-access.ts";
import { IncomingBlocks, OutgoingBlocks } from "./block-transfer.ts";
import { agreed, type Call, fitsResponse, responseBlockBytes } from "./call.ts";
import { NO_INVOKE_ID } from "./connection.ts";
import { RequestRefused } from "./exception.ts";
import { callObject, findShortName, readObject } from "./object-access.ts";
import { MAX_LONG_RESPONSE_BYTES } from "./offer.ts";

/** The tag of a ReadRequest. */
export const READ_REQUEST = 0x05;
const READ_RESPONSE = 0x0c;
const BLOCKS = "block-transfer-with-get-or-read";
/** Tag, count, choice, last-block, block number, and a length of three octets. */
const BLOCK_OVERHEAD_BYTES = 9;
const DATA = 0;
const DATA_ACCESS_ERROR = 1;

/** Serves a READ request of short names (Green Book 9.3.14). */
export function serveRead<Key, State>(call: Call<Key, State>, apdu: Uint8Array): Uint8Array {
  if (!agreed(call, "read")) throw new RequestRefused("not-supported");
  const variables = decodeApdu(readRequestOctets, apdu);
  const [first, ...others] = variables;
  if (others.length === 0 && first?.kind === "block-number-access") return nextBlock(call, first.value);
  if (others.length === 0 && first?.kind === "read-data-block-access") return takeBlock(call, first.value);
  return readAll(call, variables);
}

function readAll<Key, State>(call: Call<Key, State>, variables: ReadRequestOctets): Uint8Array {
  if (variables.length > 1 && !agreed(call, "multiple-references")) throw new RequestRefused("not-supported");
  const writer = new Writer(128);
  writer.unsigned8(READ_RESPONSE);
  writer.length(variables.length);
  for (const variable of variables) {
    const at = writer.offset;
    writer.unsigned8(DATA);
    const result = at < MAX_LONG_RESPONSE_BYTES ? readOne(call, variable, writer) : "other-reason";
    if (result === "success") continue;
    writer.offset = at;
    writer.unsigned8(DATA_ACCESS_ERROR);
    writer.unsigned8(DATA_ACCESS_RESULTS[result]);
  }
  if (fitsResponse(call, writer.offset, BLOCKS)) return writer.finish();
  if (!agreed(call, BLOCKS)) return refusal("other-reason");
  const blocks = new OutgoingBlocks(writer.finish().subarray(1));
  return sendBlock(call, blocks);
}

function readOne<Key, State>(call: Call<Key, State>, variable: VariableAccess, writer: Writer): ServedResult {
  if (variable.kind !== "variable-name" && variable.kind !== "parameterized-access") return "type-unmatched";
  const parameterized = variable.kind === "parameterized-access" ? variable.value : undefined;
  if (parameterized !== undefined && !agreed(call, "parameterized-access")) return "scope-of-access-violated";
  const name = variable.kind === "variable-name" ? variable.value : variable.value.variableName;
  const named = findShortName(call, name);
  if (named === undefined) return "object-undefined";
  if (named.kind === "attribute") {
    const selection: SelectiveAccessDescriptor | undefined = parameterized && {
      selector: parameterized.selector,
      parameters: parameterized.parameter,
    };
    return readObject(call, writer, named.object, named.index, selection);
  }
  const start = writer.offset;
  const result = callObject(call, writer, named.object, named.index, parameterized?.parameter);
  // A method that returns nothing is answered with null-data: there is no result without a value here.
  if (result === "success" && writer.offset === start) writer.unsigned8(0);
  return result;
}

function nextBlock<Key, State>(call: Call<Key, State>, blockNumber: number): Uint8Array {
  const { pending } = call;
  if (pending?.transfer.kind !== "get") return refusal("no-long-get-in-progress");
  const { blocks } = pending.transfer;
  return blockNumber === blocks.number ? sendBlock(call, blocks) : refusal("data-block-number-invalid");
}

function sendBlock<Key, State>(call: Call<Key, State>, blocks: OutgoingBlocks): Uint8Array {
  const { last, number, octets } = blocks.next(responseBlockBytes(call, BLOCK_OVERHEAD_BYTES));
  if (!last) call.transfer = { invokeIdAndPriority: NO_INVOKE_ID, transfer: { kind: "get", blocks } };
  const value = { lastBlock: last, blockNumber: number, rawData: octets };
  return encodeApdu(READ_RESPONSE, readResponseOctets, [{ kind: "data-block-result", value }]);
}

function takeBlock<Key, State>(call: Call<Key, State>, block: ShortDatablock): Uint8Array {
  if (!agreed(call, BLOCKS)) throw new RequestRefused("not-supported");
  const pending = call.pending?.transfer;
  const blocks =
    pending?.kind === "read-request" && block.blockNumber !== 1
      ? pending.blocks
      : new IncomingBlocks(call.maxRequestBytes);
  const { lastBlock, blockNumber, rawData } = block;
  switch (blocks.push({ last: lastBlock, number: blockNumber, octets: rawData })) {
    case "more":
      call.transfer = { invokeIdAndPriority: NO_INVOKE_ID, transfer: { kind: "read-request", blocks } };
      return encodeApdu(READ_RESPONSE, readResponseOctets, [{ kind: "block-number", value: blockNumber }]);
    case "wrong-number":
      return refusal("data-block-number-invalid");
    case "too-long":
      return refusal("long-get-aborted");
    case "complete":
      return readAll(call, variablesIn(blocks.joined()));
  }
}

function variablesIn(octets: Uint8Array): ReadRequestOctets {
  try {
    return decode(readRequestOctets, octets);
  } catch (error) {
    if (error instanceof DecodeError) throw new RequestRefused("not-decodable");
    throw error;
  }
}

function refusal(value: keyof typeof DATA_ACCESS_RESULTS): Uint8Array {
  return encodeApdu(READ_RESPONSE, readResponseOctets, [{ kind: "data-access-error", value }]);
}

import { encode } from "../codec/codec.ts";
import { Writer } from "../codec/writer.ts";
import { getRequestNormal, NORMAL } from "../cosem/normal-apdus.ts";
import type { SelectiveAccessDescriptor } from "../cosem/selective-access.ts";
import { decodeApdu, decodeForm, encodeApdu } from "../cosem/service-octets.ts";
import { data } from "../data/data.ts";
import type { AttributeWithSelection } from "../xdlms/descriptors.ts";
import { getRequest, getResponse } from "../xdlms/get.ts";
import { type InvokeIdAndPriority, invokeIdAndPriority } from "../xdlms/invoke-id.ts";
import { DATA_ACCESS_RESULTS, type DataAccessResult } from "../xdlms/results.ts";
import { OutgoingBlocks } from "./block-transfer.ts";
import { agreed, type Call, fitsResponse, responseBlockBytes } from "./call.ts";
import { RequestRefused } from "./exception.ts";
import { readAttribute } from "./object-access.ts";
import { MAX_LONG_RESPONSE_BYTES } from "./offer.ts";

/** Tag, choice, invoke id, last-block, block number, result choice and the longest length that stands before raw data. */
const BLOCK_OVERHEAD_BYTES = 13;
const [GET_RESPONSE] = NORMAL.getResponse;
const BLOCKS = "block-transfer-with-get-or-read";
const WITH_LIST = 3;
const DATA = 0;
const DATA_ACCESS_RESULT = 1;

/** Serves a GET request (Green Book 9.3.6) and returns the plain response. */
export function serveGet<Key, State>(call: Call<Key, State>, apdu: Uint8Array): Uint8Array {
  if (!agreed(call, "get")) throw new RequestRefused("not-supported");
  if (apdu[1] === NORMAL.getRequest[1]) return getOne(call, apdu);
  const request = decodeApdu(getRequest, apdu);
  switch (request.kind) {
    case "next":
      return nextBlock(call, request.value.invokeIdAndPriority, request.value.blockNumber);
    case "with-list":
      return getList(call, request.value.invokeIdAndPriority, request.value.attributes);
    case "normal":
      throw new RequestRefused("not-decodable");
    default:
      return request satisfies never;
  }
}

function getOne<Key, State>(call: Call<Key, State>, apdu: Uint8Array): Uint8Array {
  const request = decodeForm(getRequestNormal, apdu);
  const writer = new Writer();
  writer.unsigned8(GET_RESPONSE);
  writer.unsigned8(NORMAL.getResponse[1]);
  invokeIdAndPriority.encode(writer, request.invokeIdAndPriority);
  writer.unsigned8(DATA);
  const start = writer.offset;
  const result = readAttribute(call, writer, request.attribute, request.access);
  if (result !== "success") return refusal(request.invokeIdAndPriority, result);
  if (fitsResponse(call, writer.offset, BLOCKS)) return writer.finish();
  return inBlocks(call, request.invokeIdAndPriority, writer.finish().subarray(start));
}

function getList<Key, State>(
  call: Call<Key, State>,
  id: InvokeIdAndPriority,
  attributes: readonly AttributeWithSelection[],
): Uint8Array {
  if (!agreed(call, "multiple-references")) throw new RequestRefused("not-supported");
  const writer = new Writer(256);
  writer.unsigned8(GET_RESPONSE);
  writer.unsigned8(WITH_LIST);
  invokeIdAndPriority.encode(writer, id);
  const start = writer.offset;
  writer.length(attributes.length);
  for (const { attribute, access } of attributes) {
    const selection: SelectiveAccessDescriptor | undefined =
      access === undefined ? undefined : { selector: access.selector, parameters: encode(data, access.parameters) };
    const at = writer.offset;
    writer.unsigned8(DATA);
    const room = at < MAX_LONG_RESPONSE_BYTES;
    const result = room ? readAttribute(call, writer, attribute, selection) : "other-reason";
    if (result === "success") continue;
    writer.offset = at;
    writer.unsigned8(DATA_ACCESS_RESULT);
    writer.unsigned8(DATA_ACCESS_RESULTS[result]);
  }
  if (fitsResponse(call, writer.offset, BLOCKS)) return writer.finish();
  return inBlocks(call, id, writer.finish().subarray(start));
}

function inBlocks<Key, State>(call: Call<Key, State>, id: InvokeIdAndPriority, octets: Uint8Array): Uint8Array {
  if (!agreed(call, BLOCKS)) return refusal(id, "other-reason");
  const blocks = new OutgoingBlocks(octets);
  return sendBlock(call, id, blocks);
}

function nextBlock<Key, State>(call: Call<Key, State>, id: InvokeIdAndPriority, blockNumber: number): Uint8Array {
  const { pending } = call;
  if (pending?.transfer.kind !== "get" || pending.invokeIdAndPriority.invokeId !== id.invokeId)
    return blockRefusal(id, blockNumber, "no-long-get-in-progress");
  const { blocks } = pending.transfer;
  if (blockNumber !== blocks.number) return blockRefusal(id, blockNumber, "data-block-number-invalid");
  return sendBlock(call, id, blocks);
}

function sendBlock<Key, State>(call: Call<Key, State>, id: InvokeIdAndPriority, blocks: OutgoingBlocks): Uint8Array {
  const { last, number, octets } = blocks.next(responseBlockBytes(call, BLOCK_OVERHEAD_BYTES));
  if (!last) call.transfer = { invokeIdAndPriority: id, transfer: { kind: "get", blocks } };
  const block = { lastBlock: last, blockNumber: number, result: { kind: "raw-data", value: octets } } as const;
  return encodeApdu(GET_RESPONSE, getResponse, {
    kind: "with-datablock",
    value: { invokeIdAndPriority: id, block },
  });
}

function refusal(id: InvokeIdAndPriority, result: DataAccessResult): Uint8Array {
  return encodeApdu(GET_RESPONSE, getResponse, {
    kind: "normal",
    value: { invokeIdAndPriority: id, result: { kind: "data-access-result", value: result } },
  });
}

function blockRefusal(id: InvokeIdAndPriority, blockNumber: number, result: DataAccessResult): Uint8Array {
  const block = { lastBlock: true, blockNumber, result: { kind: "data-access-result", value: result } } as const;
  return encodeApdu(GET_RESPONSE, getResponse, {
    kind: "with-datablock",
    value: { invokeIdAndPriority: id, block },
  });
}

import { c } from "../codec/c.ts";
import { decode, encode } from "../codec/codec.ts";
import { Writer } from "../codec/writer.ts";
import { actionOutcomeOctets, actionRequestNormal, actionResponseNormal, NORMAL } from "../cosem/normal-apdus.ts";
import { decodeApdu, decodeForm, encodeApdu, encodeForm } from "../cosem/service-octets.ts";
import { data } from "../data/data.ts";
import { type ActionResponse, actionRequest, actionResponse } from "../xdlms/action.ts";
import type { Datablock } from "../xdlms/datablock.ts";
import type { MethodDescriptor } from "../xdlms/descriptors.ts";
import type { InvokeIdAndPriority } from "../xdlms/invoke-id.ts";
import type { ActionResult } from "../xdlms/results.ts";
import { IncomingBlocks, OutgoingBlocks } from "./block-transfer.ts";
import { agreed, type Call, fitsResponse, responseBlockBytes } from "./call.ts";
import { RequestRefused } from "./exception.ts";
import { callMethod } from "./object-access.ts";

/** Tag, choice, invoke id, last-block, block number and the longest length that stands before raw data. */
const BLOCK_OVERHEAD_BYTES = 12;
const BLOCKS = "block-transfer-with-action";
const [ACTION_RESPONSE] = NORMAL.actionResponse;
const parameterList = c.sequenceOf(data);

/** Serves an ACTION request (Green Book 9.3.8); undefined for a service that wants no response. */
export function serveAction<Key, State>(call: Call<Key, State>, apdu: Uint8Array): Uint8Array | undefined {
  if (!agreed(call, "action")) throw new RequestRefused("not-supported");
  if (apdu[1] === NORMAL.actionRequest[1]) {
    const { invokeIdAndPriority, method, parameters } = decodeForm(actionRequestNormal, apdu);
    return callOne(call, invokeIdAndPriority, method, parameters);
  }
  const request = decodeApdu(actionRequest, apdu);
  const { kind, value } = request;
  const id = value.invokeIdAndPriority;
  switch (kind) {
    case "with-list":
      return callAll(
        call,
        id,
        value.methods,
        value.parameters.map((item) => encode(data, item)),
      );
    case "with-first-pblock":
      return firstBlock(call, id, [value.method], false, value.block);
    case "with-list-and-first-pblock":
      return firstBlock(call, id, value.methods, true, value.block);
    case "with-pblock":
      return nextRequestBlock(call, id, value.block);
    case "next-pblock":
      return nextResponseBlock(call, id, value.blockNumber);
    case "normal":
      throw new RequestRefused("not-decodable");
    default:
      return request satisfies never;
  }
}

function callOne<Key, State>(
  call: Call<Key, State>,
  id: InvokeIdAndPriority,
  method: MethodDescriptor,
  parameter: Uint8Array | undefined,
): Uint8Array | undefined {
  const outcome = outcomeOf(call, method, parameter);
  if (!id.confirmed) return undefined;
  const response = encodeForm(NORMAL.actionResponse, actionResponseNormal, { invokeIdAndPriority: id, outcome });
  if (fitsResponse(call, response.length, BLOCKS)) return response;
  return inBlocks(call, id, encode(actionOutcomeOctets, outcome)) ?? refused(id);
}

function callAll<Key, State>(
  call: Call<Key, State>,
  id: InvokeIdAndPriority,
  methods: readonly MethodDescriptor[],
  parameters: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!agreed(call, "multiple-references")) throw new RequestRefused("not-supported");
  if (methods.length !== parameters.length) throw new RequestRefused("not-decodable");
  const outcomes = methods.map((method, at) => outcomeOf(call, method, parameters[at]));
  if (!id.confirmed) return undefined;
  const list = encode(outcomeList, outcomes);
  const head = encodeApdu(ACTION_RESPONSE, actionResponse, {
    kind: "with-list",
    value: { invokeIdAndPriority: id, outcomes: [] },
  });
  // The head ends with the count of an empty list, which the encoded list brings itself.
  const writer = new Writer(head.length + list.length);
  writer.octets(head.subarray(0, -1));
  writer.octets(list);
  if (fitsResponse(call, writer.offset, BLOCKS)) return writer.finish();
  return inBlocks(call, id, list) ?? refused(id);
}

const outcomeList = c.sequenceOf(actionOutcomeOctets);

type Outcome = {
  readonly result: ActionResult;
  readonly returned?: { readonly kind: "data"; readonly value: Uint8Array };
};

function outcomeOf<Key, State>(
  call: Call<Key, State>,
  method: MethodDescriptor,
  parameter: Uint8Array | undefined,
): Outcome {
  const writer = new Writer();
  const result = callMethod(call, writer, method, parameter);
  return writer.offset === 0 ? { result } : { result, returned: { kind: "data", value: writer.finish() } };
}

function firstBlock<Key, State>(
  call: Call<Key, State>,
  id: InvokeIdAndPriority,
  methods: readonly MethodDescriptor[],
  list: boolean,
  block: Datablock,
): Uint8Array | undefined {
  if (!agreed(call, BLOCKS)) throw new RequestRefused("not-supported");
  const blocks = new IncomingBlocks(call.maxRequestBytes);
  return takeBlock(call, id, { kind: "action-request", methods, list, blocks }, block);
}

function nextRequestBlock<Key, State>(
  call: Call<Key, State>,
  id: InvokeIdAndPriority,
  block: Datablock,
): Uint8Array | undefined {
  const { pending } = call;
  if (pending?.transfer.kind !== "action-request" || pending.invokeIdAndPriority.invokeId !== id.invokeId)
    return result(id, "no-long-action-in-progress");
  return takeBlock(call, id, pending.transfer, block);
}

type RequestTransfer = Extract<NonNullable<Call<never, never>["transfer"]>["transfer"], { kind: "action-request" }>;

function takeBlock<Key, State>(
  call: Call<Key, State>,
  id: InvokeIdAndPriority,
  transfer: RequestTransfer,
  { lastBlock, blockNumber, rawData }: Datablock,
): Uint8Array | undefined {
  const { methods, list, blocks } = transfer;
  switch (blocks.push({ last: lastBlock, number: blockNumber, octets: rawData })) {
    case "more":
      call.transfer = { invokeIdAndPriority: id, transfer };
      return respond(id, { kind: "next-pblock", value: { invokeIdAndPriority: id, blockNumber } });
    case "wrong-number":
      return result(id, "data-block-unavailable");
    case "too-long":
      return result(id, "long-action-aborted");
    case "complete": {
      const octets = blocks.joined();
      if (list)
        return callAll(
          call,
          id,
          methods,
          decode(parameterList, octets).map((item) => encode(data, item)),
        );
      return callOne(call, id, methods[0] as MethodDescriptor, octets);
    }
  }
}

function inBlocks<Key, State>(
  call: Call<Key, State>,
  id: InvokeIdAndPriority,
  octets: Uint8Array,
): Uint8Array | undefined {
  if (!agreed(call, BLOCKS)) return undefined;
  return sendBlock(call, id, new OutgoingBlocks(octets));
}

function nextResponseBlock<Key, State>(
  call: Call<Key, State>,
  id: InvokeIdAndPriority,
  blockNumber: number,
): Uint8Array | undefined {
  const { pending } = call;
  if (pending?.transfer.kind !== "action-response" || pending.invokeIdAndPriority.invokeId !== id.invokeId)
    return result(id, "no-long-action-in-progress");
  const { blocks } = pending.transfer;
  return blockNumber === blocks.number ? sendBlock(call, id, blocks) : result(id, "data-block-unavailable");
}

function sendBlock<Key, State>(call: Call<Key, State>, id: InvokeIdAndPriority, blocks: OutgoingBlocks): Uint8Array {
  const { last, number, octets } = blocks.next(responseBlockBytes(call, BLOCK_OVERHEAD_BYTES));
  if (!last) call.transfer = { invokeIdAndPriority: id, transfer: { kind: "action-response", blocks } };
  return encodeApdu(ACTION_RESPONSE, actionResponse, {
    kind: "with-pblock",
    value: { invokeIdAndPriority: id, block: { lastBlock: last, blockNumber: number, rawData: octets } },
  });
}

/** The method has run, but its answer fits nowhere. */
function refused(id: InvokeIdAndPriority): Uint8Array | undefined {
  return result(id, "other-reason");
}

function result(id: InvokeIdAndPriority, value: ActionResult): Uint8Array | undefined {
  return respond(id, { kind: "normal", value: { invokeIdAndPriority: id, outcome: { result: value } } });
}

function respond(id: InvokeIdAndPriority, response: ActionResponse): Uint8Array | undefined {
  return id.confirmed ? encodeApdu(ACTION_RESPONSE, actionResponse, response) : undefined;
}

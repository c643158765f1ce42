import { c } from "../codec/c.ts";
import { decode, encode } from "../codec/codec.ts";
import { NORMAL, setRequestNormal, setResponseNormal } from "../cosem/normal-apdus.ts";
import { decodeApdu, decodeForm, encodeApdu, encodeForm } from "../cosem/service-octets.ts";
import { data } from "../data/data.ts";
import { DecodeError } from "../errors.ts";
import type { Datablock } from "../xdlms/datablock.ts";
import type { AttributeDescriptor, AttributeWithSelection, SelectiveAccess } from "../xdlms/descriptors.ts";
import type { InvokeIdAndPriority } from "../xdlms/invoke-id.ts";
import type { DataAccessResult } from "../xdlms/results.ts";
import { type SetResponse, setRequest, setResponse } from "../xdlms/set.ts";
import { IncomingBlocks } from "./block-transfer.ts";
import { agreed, type Call } from "./call.ts";
import { RequestRefused } from "./exception.ts";
import { writeAttribute } from "./object-access.ts";

const [SET_RESPONSE] = NORMAL.setResponse;
const valueList = c.sequenceOf(data);

/** Serves a SET request (Green Book 9.3.7); undefined for a service that wants no response. */
export function serveSet<Key, State>(call: Call<Key, State>, apdu: Uint8Array): Uint8Array | undefined {
  if (!agreed(call, "set")) throw new RequestRefused("not-supported");
  if (apdu[1] === NORMAL.setRequest[1]) return setOne(call, apdu);
  const request = decodeApdu(setRequest, apdu);
  const { kind, value } = request;
  const id = value.invokeIdAndPriority;
  switch (kind) {
    case "with-list":
      return setAll(
        call,
        id,
        value.attributes,
        value.values.map((item) => encode(data, item)),
      );
    case "with-first-datablock": {
      const { attribute, access } = value;
      const target = access === undefined ? { attribute } : { attribute, access };
      return firstBlock(call, id, [target], false, value.block);
    }
    case "with-list-and-first-datablock":
      return firstBlock(call, id, value.attributes, true, value.block);
    case "with-datablock":
      return nextBlock(call, id, value.block);
    case "normal":
      throw new RequestRefused("not-decodable");
    default:
      return request satisfies never;
  }
}

function setOne<Key, State>(call: Call<Key, State>, apdu: Uint8Array): Uint8Array | undefined {
  const { invokeIdAndPriority, attribute, access, value } = decodeForm(setRequestNormal, apdu);
  const result = write(call, attribute, access, value);
  if (!invokeIdAndPriority.confirmed) return undefined;
  return encodeForm(NORMAL.setResponse, setResponseNormal, { invokeIdAndPriority, result });
}

function setAll<Key, State>(
  call: Call<Key, State>,
  id: InvokeIdAndPriority,
  targets: readonly AttributeWithSelection[],
  values: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!agreed(call, "multiple-references")) throw new RequestRefused("not-supported");
  const results = writeAll(call, targets, values);
  return respond(id, { kind: "with-list", value: { invokeIdAndPriority: id, results } });
}

function writeAll<Key, State>(
  call: Call<Key, State>,
  targets: readonly AttributeWithSelection[],
  values: readonly Uint8Array[],
): DataAccessResult[] {
  if (targets.length !== values.length) throw new RequestRefused("not-decodable");
  return targets.map(({ attribute, access }, at) => write(call, attribute, access, values[at] as Uint8Array));
}

function write<Key, State>(
  call: Call<Key, State>,
  attribute: AttributeDescriptor,
  access: SelectiveAccess | undefined,
  value: Uint8Array,
): DataAccessResult {
  const selection = access && { selector: access.selector, parameters: encode(data, access.parameters) };
  return writeAttribute(call, attribute, value, selection);
}

function firstBlock<Key, State>(
  call: Call<Key, State>,
  id: InvokeIdAndPriority,
  targets: readonly AttributeWithSelection[],
  list: boolean,
  block: Datablock,
): Uint8Array | undefined {
  if (!agreed(call, "block-transfer-with-set-or-write")) throw new RequestRefused("not-supported");
  if (list && !agreed(call, "multiple-references")) throw new RequestRefused("not-supported");
  const blocks = new IncomingBlocks(call.maxRequestBytes);
  return takeBlock(call, id, { kind: "set", targets, list, blocks }, block);
}

function nextBlock<Key, State>(
  call: Call<Key, State>,
  id: InvokeIdAndPriority,
  block: Datablock,
): Uint8Array | undefined {
  const { pending } = call;
  if (pending?.transfer.kind !== "set" || pending.invokeIdAndPriority.invokeId !== id.invokeId)
    return lastResponse(id, false, ["no-long-set-in-progress"], block.blockNumber);
  return takeBlock(call, id, pending.transfer, block);
}

type SetTransfer = Extract<NonNullable<Call<never, never>["transfer"]>["transfer"], { kind: "set" }>;

function takeBlock<Key, State>(
  call: Call<Key, State>,
  id: InvokeIdAndPriority,
  transfer: SetTransfer,
  { lastBlock, blockNumber, rawData }: Datablock,
): Uint8Array | undefined {
  const { targets, list, blocks } = transfer;
  switch (blocks.push({ last: lastBlock, number: blockNumber, octets: rawData })) {
    case "more":
      call.transfer = { invokeIdAndPriority: id, transfer };
      return respond(id, { kind: "datablock", value: { invokeIdAndPriority: id, blockNumber } });
    case "wrong-number":
      return lastResponse(
        id,
        list,
        targets.map(() => "data-block-number-invalid"),
        blockNumber,
      );
    case "too-long":
      return lastResponse(
        id,
        list,
        targets.map(() => "long-set-aborted"),
        blockNumber,
      );
    case "complete": {
      const octets = blocks.joined();
      return lastResponse(id, list, writeAll(call, targets, list ? splitList(octets) : [octets]), blockNumber);
    }
  }
}

function splitList(octets: Uint8Array): Uint8Array[] {
  try {
    return decode(valueList, octets).map((item) => encode(data, item));
  } catch (error) {
    if (error instanceof DecodeError) throw new RequestRefused("not-decodable");
    throw error;
  }
}

function lastResponse(
  id: InvokeIdAndPriority,
  list: boolean,
  results: readonly DataAccessResult[],
  blockNumber: number,
): Uint8Array | undefined {
  if (list)
    return respond(id, { kind: "last-datablock-with-list", value: { invokeIdAndPriority: id, results, blockNumber } });
  const result = results[0] ?? "other-reason";
  return respond(id, { kind: "last-datablock", value: { invokeIdAndPriority: id, result, blockNumber } });
}

function respond(id: InvokeIdAndPriority, response: SetResponse): Uint8Array | undefined {
  return id.confirmed ? encodeApdu(SET_RESPONSE, setResponse, response) : undefined;
}

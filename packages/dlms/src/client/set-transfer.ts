import { c } from "../codec/c.ts";
import { decode, encode } from "../codec/codec.ts";
import { NORMAL, setRequestNormal } from "../cosem/normal-apdus.ts";
import { decodeFirstApdu, encodeApdu, encodeForm } from "../cosem/service-octets.ts";
import { data } from "../data/data.ts";
import type { AttributeWithSelection } from "../xdlms/descriptors.ts";
import type { DataAccessResult } from "../xdlms/results.ts";
import { type SetRequest, setRequest, setResponse } from "../xdlms/set.ts";
import { attributeText, type RequestScope, requireSameId, unexpected } from "./ask.ts";
import { dataAccessRefused } from "./get-transfer.ts";
import { blocksOf, firstBlockBytes, type SplitBlock } from "./request-blocks.ts";

const [SET_REQUEST] = NORMAL.setRequest;
const valueList = c.sequenceOf(data);

/** The request that writes one attribute. */
export function setOneRequest(id: RequestScope["id"], target: AttributeWithSelection, value: Uint8Array): Uint8Array {
  return encodeForm(NORMAL.setRequest, setRequestNormal, { invokeIdAndPriority: id, ...target, value });
}

/** @throws SessionError `request-too-long` as `setOne` would, before anything is sent */
export function requireSettable(
  context: RequestScope,
  target: AttributeWithSelection,
  value: Uint8Array,
  blocksAgreed: boolean,
): void {
  if (setOneRequest(context.id, target, value).length <= context.maxRequestBytes) return;
  const head = headBytes(firstOf(context, target));
  firstBlockBytes(context, `set ${attributeText(target.attribute)}`, head, blocksAgreed);
}

/** Writes one attribute, in blocks where it does not fit otherwise. @throws SessionError `data-access-refused` */
export async function setOne(
  context: RequestScope,
  target: AttributeWithSelection,
  value: Uint8Array,
  blocksAgreed: boolean,
): Promise<void> {
  const step = `set ${attributeText(target.attribute)}`;
  const whole = setOneRequest(context.id, target, value);
  const fits = whole.length <= context.maxRequestBytes;
  const result = fits
    ? (await answerOf(context, step, whole))[0]
    : (await inBlocks(context, step, value, blocksAgreed, firstOf(context, target)))[0];
  if (result !== "success") throw dataAccessRefused(step, result ?? "other-reason");
}

/** Writes several attributes; the results are in their order. */
export async function setList(
  context: RequestScope,
  targets: readonly AttributeWithSelection[],
  values: readonly Uint8Array[],
  blocksAgreed: boolean,
): Promise<readonly DataAccessResult[]> {
  const step = `set ${targets.length} attributes`;
  const decoded = values.map((value) => decode(data, value));
  const whole = encodeApdu(SET_REQUEST, setRequest, {
    kind: "with-list",
    value: { invokeIdAndPriority: context.id, attributes: targets, values: decoded },
  });
  const results =
    whole.length <= context.maxRequestBytes
      ? await answerOf(context, step, whole)
      : await inBlocks(context, step, encode(valueList, decoded), blocksAgreed, (block) => ({
          kind: "with-list-and-first-datablock",
          value: { invokeIdAndPriority: context.id, attributes: targets, block },
        }));
  if (results.length !== targets.length)
    throw unexpected(step, `${results.length} results for ${targets.length} attributes`);
  return results;
}

/** The request that begins a long one. */
type FirstRequest = (block: SplitBlock) => SetRequest;

function firstOf({ id }: RequestScope, target: AttributeWithSelection): FirstRequest {
  return (block) => ({ kind: "with-first-datablock", value: { invokeIdAndPriority: id, ...target, block } });
}

/** Octets of the first request beside its raw data. */
function headBytes(first: FirstRequest): number {
  const empty = first({ lastBlock: false, blockNumber: 1, rawData: new Uint8Array(0) });
  return encodeApdu(SET_REQUEST, setRequest, empty).length;
}

async function inBlocks(
  context: RequestScope,
  step: string,
  octets: Uint8Array,
  agreed: boolean,
  first: FirstRequest,
): Promise<readonly DataAccessResult[]> {
  for (const block of blocksOf(context, octets, firstBlockBytes(context, step, headBytes(first), agreed))) {
    const request: SetRequest =
      block.blockNumber === 1
        ? first(block)
        : { kind: "with-datablock", value: { invokeIdAndPriority: context.id, block } };
    const octetsOfRequest = encodeApdu(SET_REQUEST, setRequest, request);
    const response = await context.ask(octetsOfRequest, `${step} block ${block.blockNumber}`);
    const answer = readAnswer(context, step, response);
    if (answer.kind === "results") return answer.results;
    if (block.lastBlock || answer.blockNumber !== block.blockNumber)
      throw unexpected(step, `block ${answer.blockNumber} acknowledged after block ${block.blockNumber}`);
  }
  throw unexpected(step, "no answer to the last block");
}

async function answerOf(
  context: RequestScope,
  step: string,
  request: Uint8Array,
): Promise<readonly DataAccessResult[]> {
  const answer = readAnswer(context, step, await context.ask(request, step));
  if (answer.kind === "results") return answer.results;
  throw unexpected(step, "a block is acknowledged where none was sent");
}

type Answer =
  | { readonly kind: "results"; readonly results: readonly DataAccessResult[] }
  | { readonly kind: "acknowledged"; readonly blockNumber: number };

function readAnswer(context: RequestScope, step: string, response: Uint8Array): Answer {
  const [tag] = NORMAL.setResponse;
  if (response[0] !== tag) throw unexpected(step, `tag 0x${(response[0] ?? 0).toString(16)} is no set-response`);
  const answer = decodeFirstApdu(setResponse, response);
  requireSameId(context.id, answer.value.invokeIdAndPriority);
  switch (answer.kind) {
    case "normal":
    case "last-datablock":
      return { kind: "results", results: [answer.value.result] };
    case "with-list":
    case "last-datablock-with-list":
      return { kind: "results", results: answer.value.results };
    case "datablock":
      return { kind: "acknowledged", blockNumber: answer.value.blockNumber };
    default:
      return answer satisfies never;
  }
}

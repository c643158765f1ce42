import { concatBytes } from "../bytes.ts";
import { c } from "../codec/c.ts";
import { decode, type Infer } from "../codec/codec.ts";
import { getRequestNormal, getResponseList, getResponseNormal, listedResult, NORMAL } from "../cosem/normal-apdus.ts";
import type { SelectiveAccessDescriptor } from "../cosem/selective-access.ts";
import { decodeFirstApdu, decodeFirstForm, decodeForm, encodeApdu, encodeForm } from "../cosem/service-octets.ts";
import type { AttributeDescriptor } from "../xdlms/descriptors.ts";
import { getRequest, getResponse } from "../xdlms/get.ts";
import type { DataAccessResult } from "../xdlms/results.ts";
import { attributeText, type RequestScope, requireSameId, unexpected, withSelection } from "./ask.ts";
import { SessionError } from "./session-error.ts";

const [GET_REQUEST] = NORMAL.getRequest;
const LIST_FORM = NORMAL.getResponseList[1];
const resultList = c.sequenceOf(listedResult);

/** One item of a list read: encoded Data, or the name of the reason why there is none. */
export type ListItem =
  | { readonly kind: "data"; readonly value: Uint8Array }
  | { readonly kind: "refused"; readonly reason: DataAccessResult };

/** What one GET reads. */
export interface GetTarget {
  readonly attribute: AttributeDescriptor;
  readonly access: SelectiveAccessDescriptor | undefined;
}

/** The request that reads one attribute. */
export function getOneRequest(id: RequestScope["id"], { attribute, access }: GetTarget): Uint8Array {
  const value = { invokeIdAndPriority: id, attribute };
  return encodeForm(NORMAL.getRequest, getRequestNormal, access === undefined ? value : { ...value, access });
}

/** The request that reads several. */
export function getListRequest(id: RequestScope["id"], targets: readonly GetTarget[]): Uint8Array {
  const attributes = targets.map(({ attribute, access }) => withSelection(attribute, access));
  return encodeApdu(GET_REQUEST, getRequest, { kind: "with-list", value: { invokeIdAndPriority: id, attributes } });
}

/** The answer to a GET, as far as one APDU tells. */
export type GetAnswer =
  | { readonly kind: "data"; readonly octets: Uint8Array }
  | { readonly kind: "list"; readonly items: readonly ListItem[] }
  | { readonly kind: "block"; readonly block: Block }
  | { readonly kind: "refused"; readonly reason: DataAccessResult };

interface Block {
  readonly last: boolean;
  readonly number: number;
  readonly octets: Uint8Array;
}

/** Reads the answer to a GET. @throws SessionError `unexpected-response`; DecodeError */
export function readGetAnswer(id: RequestScope["id"], step: string, response: Uint8Array): GetAnswer {
  const [tag, normal] = NORMAL.getResponse;
  if (response[0] !== tag) throw unexpected(step, `tag 0x${(response[0] ?? 0).toString(16)} is no get-response`);
  if (response[1] === normal) {
    const { invokeIdAndPriority, result } = decodeForm(getResponseNormal, response);
    requireSameId(id, invokeIdAndPriority);
    return result.kind === "data" ? { kind: "data", octets: result.value } : { kind: "refused", reason: result.value };
  }
  if (response[1] === LIST_FORM) {
    const { invokeIdAndPriority, results } = decodeFirstForm(getResponseList, response);
    requireSameId(id, invokeIdAndPriority);
    return { kind: "list", items: results.map(listItem) };
  }
  const answer = decodeFirstApdu(getResponse, response);
  requireSameId(id, answer.value.invokeIdAndPriority);
  switch (answer.kind) {
    case "with-datablock": {
      const { lastBlock, blockNumber, result } = answer.value.block;
      if (result.kind === "data-access-result") return { kind: "refused", reason: result.value };
      return { kind: "block", block: { last: lastBlock, number: blockNumber, octets: result.value } };
    }
    case "normal":
    case "with-list":
      throw unexpected(step, "the answer has no known form");
    default:
      return answer satisfies never;
  }
}

/** Reads one attribute: encoded Data, which some meters let octets follow that are none of it. */
export async function getOne(context: RequestScope, target: GetTarget): Promise<Uint8Array> {
  const step = `get ${attributeText(target.attribute)}`;
  const answer = readGetAnswer(context.id, step, await context.ask(getOneRequest(context.id, target), step));
  // Nearly every answer is whole: it needs no generator, which costs as much as the decoding does.
  if (answer.kind === "data" && answer.octets.length <= context.maxResponseBytes) return answer.octets;
  const parts: Uint8Array[] = [];
  for await (const part of continueGet(context, step, answer)) parts.push(part);
  return concatBytes(...parts);
}

/** Reads one attribute block by block, as they come: nothing is kept. */
export async function* getParts(context: RequestScope, target: GetTarget): AsyncGenerator<Uint8Array, void, void> {
  const step = `get ${attributeText(target.attribute)}`;
  const answer = readGetAnswer(context.id, step, await context.ask(getOneRequest(context.id, target), step));
  yield* continueGet(context, step, answer);
}

/** Goes on after the first answer: gives its octets and, where they come in blocks, those of the blocks that follow. */
export async function* continueGet(
  context: RequestScope,
  step: string,
  first: GetAnswer,
): AsyncGenerator<Uint8Array, void, void> {
  let answer = first;
  for (let expected = 1, total = 0; ; expected += 1) {
    if (answer.kind === "refused") throw dataAccessRefused(step, answer.reason);
    if (answer.kind === "list") throw unexpected(step, "a list where one value was asked for");
    const octets = answer.kind === "data" ? answer.octets : answer.block.octets;
    total += octets.length;
    if (total > context.maxResponseBytes)
      throw new SessionError("response-too-long", `${step}: more than ${context.maxResponseBytes} octets`);
    if (answer.kind === "data") {
      if (expected > 1) throw unexpected(step, "a whole value where a block belongs");
      yield octets;
      return;
    }
    const { last, number } = answer.block;
    if (number !== expected) throw unexpected(step, `block ${number} where ${expected} belongs`);
    // A server that sends empty blocks for ever would keep us here.
    if (octets.length === 0 && !last) throw unexpected(step, `block ${number} is empty and not the last`);
    yield octets;
    if (last) return;
    const next = encodeApdu(GET_REQUEST, getRequest, {
      kind: "next",
      value: { invokeIdAndPriority: context.id, blockNumber: number },
    });
    answer = readGetAnswer(context.id, step, await context.ask(next, `${step} block ${number + 1}`));
  }
}

/** Reads several attributes with one request, whose answer may come in blocks. */
export async function getList(context: RequestScope, targets: readonly GetTarget[]): Promise<readonly ListItem[]> {
  const step = `get ${targets.length} attributes`;
  const answer = readGetAnswer(context.id, step, await context.ask(getListRequest(context.id, targets), step));
  const items = answer.kind === "list" ? answer.items : await listInBlocks(context, step, answer);
  if (items.length !== targets.length)
    throw unexpected(step, `${items.length} results for ${targets.length} attributes`);
  return items;
}

async function listInBlocks(context: RequestScope, step: string, first: GetAnswer): Promise<readonly ListItem[]> {
  if (first.kind === "data") throw unexpected(step, "one value where a list was asked for");
  const parts: Uint8Array[] = [];
  for await (const part of continueGet(context, step, first)) parts.push(part);
  return decode(resultList, concatBytes(...parts)).map(listItem);
}

function listItem(result: Infer<typeof listedResult>): ListItem {
  return result.kind === "data" ? result : { kind: "refused", reason: result.value };
}

/** The error for a data-access-result. */
export function dataAccessRefused(step: string, reason: DataAccessResult): SessionError {
  return new SessionError("data-access-refused", `${step}: ${reason}`, { reason: String(reason) });
}

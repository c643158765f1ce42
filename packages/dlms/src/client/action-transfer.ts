import { concatBytes } from "../bytes.ts";
import { c } from "../codec/c.ts";
import { decode, encode } from "../codec/codec.ts";
import { actionOutcomeOctets, actionRequestNormal, actionResponseNormal, NORMAL } from "../cosem/normal-apdus.ts";
import { decodeApdu, decodeForm, encodeApdu, encodeForm } from "../cosem/service-octets.ts";
import { data } from "../data/data.ts";
import {
  type ActionOutcome,
  type ActionRequest,
  actionOutcome,
  actionRequest,
  actionResponse,
} from "../xdlms/action.ts";
import type { MethodDescriptor } from "../xdlms/descriptors.ts";
import type { ActionResult } from "../xdlms/results.ts";
import { methodText, type RequestScope, requireSameId, unexpected } from "./ask.ts";
import { blocksOf, firstBlockBytes, type SplitBlock } from "./request-blocks.ts";
import { SessionError } from "./session-error.ts";

const [ACTION_REQUEST] = NORMAL.actionRequest;
const outcomeList = c.sequenceOf(actionOutcome);
const parameterList = c.sequenceOf(data);

/** How one method of a list went. */
export interface ActionItem {
  readonly result: ActionResult;
  /** Encoded Data. */
  readonly returned: Uint8Array | undefined;
}

/** The request that calls one method. */
export function callOneRequest(
  id: RequestScope["id"],
  method: MethodDescriptor,
  parameter: Uint8Array | undefined,
): Uint8Array {
  const value = { invokeIdAndPriority: id, method };
  const whole = parameter === undefined ? value : { ...value, parameters: parameter };
  return encodeForm(NORMAL.actionRequest, actionRequestNormal, whole);
}

/** Calls one method and gives what it returns, encoded. @throws SessionError `action-refused` */
export async function callOne(
  context: RequestScope,
  method: MethodDescriptor,
  parameter: Uint8Array | undefined,
  blocksAgreed: boolean,
): Promise<Uint8Array | undefined> {
  const step = `call ${methodText(method)}`;
  const whole = callOneRequest(context.id, method, parameter);
  const fits = whole.length <= context.maxRequestBytes || parameter === undefined;
  const response = fits
    ? await context.ask(whole, step)
    : await sendBlocks(context, step, parameter, blocksAgreed, (block) => ({
        kind: "with-first-pblock",
        value: { invokeIdAndPriority: context.id, method, block },
      }));
  const { result, returned } = await outcomeOf(context, step, response);
  if (result !== "success") throw new SessionError("action-refused", `${step}: ${result}`, { reason: String(result) });
  return returned;
}

/** Calls several methods; what went wrong with one is in its item. */
export async function callList(
  context: RequestScope,
  methods: readonly MethodDescriptor[],
  parameters: readonly Uint8Array[],
  blocksAgreed: boolean,
): Promise<readonly ActionItem[]> {
  const step = `call ${methods.length} methods`;
  const invokeIdAndPriority = context.id;
  const decoded = parameters.map((item) => decode(data, item));
  const request = encodeApdu(ACTION_REQUEST, actionRequest, {
    kind: "with-list",
    value: { invokeIdAndPriority, methods, parameters: decoded },
  });
  const response =
    request.length <= context.maxRequestBytes
      ? await context.ask(request, step)
      : await sendBlocks(context, step, encode(parameterList, decoded), blocksAgreed, (block) => ({
          kind: "with-list-and-first-pblock",
          value: { invokeIdAndPriority, methods, block },
        }));
  const answer = readAnswer(context, step, response);
  const items =
    answer.kind === "list" ? answer.items : decode(outcomeList, await collectBlocks(context, step, answer)).map(item);
  if (items.length !== methods.length) throw unexpected(step, `${items.length} results for ${methods.length} methods`);
  return items;
}

async function sendBlocks(
  context: RequestScope,
  step: string,
  parameter: Uint8Array,
  agreed: boolean,
  first: (block: SplitBlock) => ActionRequest,
): Promise<Uint8Array> {
  const invokeIdAndPriority = context.id;
  const empty = first({ lastBlock: false, blockNumber: 1, rawData: new Uint8Array(0) });
  const head = encodeApdu(ACTION_REQUEST, actionRequest, empty).length;
  for (const block of blocksOf(context, parameter, firstBlockBytes(context, step, head, agreed))) {
    const request: ActionRequest =
      block.blockNumber === 1 ? first(block) : { kind: "with-pblock", value: { invokeIdAndPriority, block } };
    const octets = encodeApdu(ACTION_REQUEST, actionRequest, request);
    const response = await context.ask(octets, `${step} block ${block.blockNumber}`);
    if (block.lastBlock) return response;
    const answer = readAnswer(context, step, response);
    // A server that refuses does so before the last block.
    if (answer.kind === "one") return response;
    if (answer.kind !== "acknowledged" || answer.blockNumber !== block.blockNumber)
      throw unexpected(step, `block ${block.blockNumber} is not acknowledged`);
  }
  throw unexpected(step, "no answer to the last block");
}

async function outcomeOf(context: RequestScope, step: string, response: Uint8Array): Promise<ActionItem> {
  const answer = readAnswer(context, step, response);
  if (answer.kind === "one") return answer.item;
  const octets = await collectBlocks(context, step, answer);
  // Some servers send the returned Data alone. A lone octet 0 is null-data; longer, it is the result "success".
  if (octets.length > 1 && octets[0] === 0) {
    const { result, returned } = decode(actionOutcomeOctets, octets);
    return { result, returned: returned?.kind === "data" ? returned.value : undefined };
  }
  return { result: "success", returned: octets };
}

async function collectBlocks(context: RequestScope, step: string, first: Answer): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let answer = first;
  for (let expected = 1, total = 0; ; expected += 1) {
    if (answer.kind === "one" && answer.item.result !== "success")
      throw new SessionError("action-refused", `${step}: ${answer.item.result}`, {
        reason: String(answer.item.result),
      });
    if (answer.kind !== "block") throw unexpected(step, "another answer where a block belongs");
    const { lastBlock, blockNumber, rawData } = answer;
    if (blockNumber !== expected) throw unexpected(step, `block ${blockNumber} where ${expected} belongs`);
    if (rawData.length === 0 && !lastBlock) throw unexpected(step, `block ${blockNumber} is empty and not the last`);
    total += rawData.length;
    if (total > context.maxResponseBytes)
      throw new SessionError("response-too-long", `${step}: more than ${context.maxResponseBytes} octets`);
    parts.push(rawData);
    if (lastBlock) return concatBytes(...parts);
    const next = encodeApdu(ACTION_REQUEST, actionRequest, {
      kind: "next-pblock",
      value: { invokeIdAndPriority: context.id, blockNumber },
    });
    answer = readAnswer(context, step, await context.ask(next, `${step} block ${blockNumber + 1}`));
  }
}

type Answer =
  | { readonly kind: "one"; readonly item: ActionItem }
  | { readonly kind: "list"; readonly items: readonly ActionItem[] }
  | { readonly kind: "acknowledged"; readonly blockNumber: number }
  | { readonly kind: "block"; readonly lastBlock: boolean; readonly blockNumber: number; readonly rawData: Uint8Array };

function readAnswer(context: RequestScope, step: string, response: Uint8Array): Answer {
  const [tag, normal] = NORMAL.actionResponse;
  if (response[0] !== tag) throw unexpected(step, `tag 0x${(response[0] ?? 0).toString(16)} is no action-response`);
  if (response[1] === normal) {
    const { invokeIdAndPriority, outcome } = decodeForm(actionResponseNormal, response);
    requireSameId(context.id, invokeIdAndPriority);
    const { result, returned } = outcome;
    return { kind: "one", item: { result, returned: returned?.kind === "data" ? returned.value : undefined } };
  }
  const answer = decodeApdu(actionResponse, response);
  requireSameId(context.id, answer.value.invokeIdAndPriority);
  switch (answer.kind) {
    case "with-list":
      return { kind: "list", items: answer.value.outcomes.map(item) };
    case "with-pblock":
      return { kind: "block", ...answer.value.block };
    case "next-pblock":
      return { kind: "acknowledged", blockNumber: answer.value.blockNumber };
    case "normal":
      throw unexpected(step, "the answer has no known form");
    default:
      return answer satisfies never;
  }
}

function item({ result, returned }: ActionOutcome): ActionItem {
  return { result, returned: returned?.kind === "data" ? encode(data, returned.value) : undefined };
}

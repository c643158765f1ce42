import { concatBytes } from "../bytes.ts";
import { decode, decodeFirst, encode } from "../codec/codec.ts";
import { decodeApdu, decodeFirstApdu, encodeApdu } from "../cosem/service-octets.ts";
import { d } from "../data/d.ts";
import { dataOctets } from "../data/data-octets.ts";
import { DecodeError } from "../errors.ts";
import { type ReadResult, readRequestOctets, readResponseOctets, type VariableAccess } from "../xdlms/read.ts";
import type { DataAccessResult } from "../xdlms/results.ts";
import { type WriteResult, writeRequestOctets, writeResponse } from "../xdlms/write.ts";
import { type Ask, unexpected } from "./ask.ts";
import { dataAccessRefused, type ListItem } from "./get-transfer.ts";
import { SessionError } from "./session-error.ts";

const READ_REQUEST = 0x05;
const WRITE_REQUEST = 0x06;
const READ_RESPONSE = 0x0c;
const WRITE_RESPONSE = 0x0d;
const UNCONFIRMED_WRITE_REQUEST = 0x16;
/** Tag, count, choice, last-block, block number, and a length of three octets. */
const BLOCK_OVERHEAD_BYTES = 9;
/** The same, with the count and tag of the octet-string that carries a block of a write. */
const WRITE_BLOCK_OVERHEAD_BYTES = 11;
const HIGHEST_BLOCK_NUMBER = 0xffff;

/** What READ and WRITE need of their session. */
export interface ShortNameScope {
  readonly ask: Ask;
  /** Octets that a plain request may have. */
  readonly maxRequestBytes: number;
  /** Octets that a response in blocks may grow to. */
  readonly maxResponseBytes: number;
  /** Requests may go in blocks of their service. */
  readonly requestBlocks: boolean;
}

/** Reads variables; what cannot be read says so in its item (Green Book 9.3.14). */
export async function readVariables(
  scope: ShortNameScope,
  step: string,
  variables: readonly VariableAccess[],
): Promise<readonly ListItem[]> {
  const request = encodeApdu(READ_REQUEST, readRequestOctets, variables);
  const response =
    request.length <= scope.maxRequestBytes
      ? await scope.ask(request, step)
      : await sendReadInBlocks(scope, step, request.subarray(1));
  const results = readResults(step, response);
  const [first] = results;
  const items = first?.kind === "data-block-result" ? await inBlocks(scope, step, first, variables.length) : results;
  if (items.length !== variables.length)
    throw unexpected(step, `${items.length} results for ${variables.length} variables`);
  return items.map((item) => itemOf(step, item));
}

/** Reads one variable piece by piece, as the blocks come. @throws SessionError */
export async function* readParts(
  scope: ShortNameScope,
  step: string,
  variable: VariableAccess,
): AsyncGenerator<Uint8Array, void, void> {
  const response = await scope.ask(encodeApdu(READ_REQUEST, readRequestOctets, [variable]), step);
  const [first, ...others] = readResults(step, response);
  if (first === undefined || others.length > 0) throw unexpected(step, "one variable, another number of results");
  if (first.kind !== "data-block-result") {
    const item = itemOf(step, first);
    if (item.kind === "refused") throw dataAccessRefused(step, item.reason);
    yield item.value;
    return;
  }
  let head = true;
  for await (const part of blocks(scope, step, first)) {
    // The first block begins with the count of results and the choice "data", where the server writes them.
    yield head && part[0] === 1 && part[1] === 0 ? part.subarray(2) : part;
    head = false;
  }
}

async function inBlocks(
  scope: ShortNameScope,
  step: string,
  first: Extract<ReadResult, { kind: "data-block-result" }>,
  count: number,
): Promise<readonly ReadResult[]> {
  const parts: Uint8Array[] = [];
  for await (const part of blocks(scope, step, first)) parts.push(part);
  const octets = concatBytes(...parts);
  try {
    const results = decode(readResponseOctets, octets);
    if (results.length === count) return results;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  // One known stack sends the value of a lone variable as it is, without count and choice.
  if (count === 1) return [{ kind: "data", value: decodeFirst(dataOctets, octets).value }];
  throw unexpected(step, `the blocks hold no ${count} results`);
}

async function* blocks(
  scope: ShortNameScope,
  step: string,
  first: Extract<ReadResult, { kind: "data-block-result" }>,
): AsyncGenerator<Uint8Array, void, void> {
  let result: ReadResult | undefined = first;
  for (let expected = 1, total = 0; ; expected += 1) {
    if (result?.kind === "data-access-error") throw dataAccessRefused(step, result.value);
    if (result?.kind !== "data-block-result") throw unexpected(step, "another result where a block belongs");
    const { lastBlock, blockNumber, rawData } = result.value;
    if (blockNumber !== expected) throw unexpected(step, `block ${blockNumber} where ${expected} belongs`);
    if (rawData.length === 0 && !lastBlock) throw unexpected(step, `block ${blockNumber} is empty and not the last`);
    total += rawData.length;
    if (total > scope.maxResponseBytes)
      throw new SessionError("response-too-long", `${step}: more than ${scope.maxResponseBytes} octets`);
    yield rawData;
    if (lastBlock) return;
    const next = encodeApdu(READ_REQUEST, readRequestOctets, [{ kind: "block-number-access", value: blockNumber }]);
    [result] = readResults(step, await scope.ask(next, `${step} block ${blockNumber + 1}`));
  }
}

async function sendReadInBlocks(scope: ShortNameScope, step: string, octets: Uint8Array): Promise<Uint8Array> {
  for (const block of cut(scope, step, octets, BLOCK_OVERHEAD_BYTES)) {
    const request = encodeApdu(READ_REQUEST, readRequestOctets, [{ kind: "read-data-block-access", value: block }]);
    const response = await scope.ask(request, `${step} block ${block.blockNumber}`);
    if (block.lastBlock) return response;
    const [result] = readResults(step, response);
    if (result?.kind !== "block-number") return response;
    if (result.value !== block.blockNumber) throw unexpected(step, `block ${block.blockNumber} is not acknowledged`);
  }
  throw unexpected(step, "no answer to the last block");
}

/** Writes variables, in blocks where they do not fit otherwise. The results are in their order. */
export async function writeVariables(
  scope: ShortNameScope,
  step: string,
  items: readonly { readonly variable: VariableAccess; readonly value: Uint8Array }[],
): Promise<readonly DataAccessResult[]> {
  const request = writeRequest(items);
  const response =
    request.length <= scope.maxRequestBytes
      ? await scope.ask(request, step)
      : await sendWriteInBlocks(scope, step, request.subarray(1));
  const results = writeResults(step, response).map((result) => {
    if (result.kind === "block-number") throw unexpected(step, "a block is acknowledged where a result belongs");
    return result.kind === "success" ? "success" : result.value;
  });
  if (results.length !== items.length)
    throw unexpected(step, `${results.length} results for ${items.length} variables`);
  return results;
}

/** The request that writes variables. */
export function writeRequest(
  items: readonly { readonly variable: VariableAccess; readonly value: Uint8Array }[],
  service: "confirmed" | "unconfirmed" = "confirmed",
): Uint8Array {
  const tag = service === "confirmed" ? WRITE_REQUEST : UNCONFIRMED_WRITE_REQUEST;
  return encodeApdu(tag, writeRequestOctets, {
    variables: items.map(({ variable }) => variable),
    values: items.map(({ value }) => value),
  });
}

async function sendWriteInBlocks(scope: ShortNameScope, step: string, octets: Uint8Array): Promise<Uint8Array> {
  for (const { lastBlock, blockNumber, rawData } of cut(scope, step, octets, WRITE_BLOCK_OVERHEAD_BYTES)) {
    const value = encode(d.octetString, rawData);
    const variable = { kind: "write-data-block-access", value: { lastBlock, blockNumber } } as const;
    const response = await scope.ask(writeRequest([{ variable, value }]), `${step} block ${blockNumber}`);
    if (lastBlock) return response;
    const [result] = writeResults(step, response);
    if (result?.kind !== "block-number") return response;
    if (result.value !== blockNumber) throw unexpected(step, `block ${blockNumber} is not acknowledged`);
  }
  throw unexpected(step, "no answer to the last block");
}

function* cut(scope: ShortNameScope, step: string, octets: Uint8Array, overheadBytes: number) {
  const room = scope.maxRequestBytes - overheadBytes;
  const count = Math.ceil(octets.length / room);
  if (!scope.requestBlocks || room < 1 || count > HIGHEST_BLOCK_NUMBER)
    throw new SessionError("request-too-long", `${step}: the server takes ${scope.maxRequestBytes} octets at a time`);
  for (let at = 0; at < count; at += 1)
    yield {
      lastBlock: at === count - 1,
      blockNumber: at + 1,
      rawData: octets.subarray(at * room, (at + 1) * room),
    };
}

function readResults(step: string, response: Uint8Array): readonly ReadResult[] {
  if (response[0] !== READ_RESPONSE)
    throw unexpected(step, `tag 0x${(response[0] ?? 0).toString(16)} is no read-response`);
  return decodeFirstApdu(readResponseOctets, response);
}

function writeResults(step: string, response: Uint8Array): readonly WriteResult[] {
  if (response[0] !== WRITE_RESPONSE)
    throw unexpected(step, `tag 0x${(response[0] ?? 0).toString(16)} is no write-response`);
  return decodeApdu(writeResponse, response);
}

function itemOf(step: string, result: ReadResult): ListItem {
  switch (result.kind) {
    case "data":
      return { kind: "data", value: result.value };
    case "data-access-error":
      return { kind: "refused", reason: result.value };
    case "block-number":
    case "data-block-result":
      throw unexpected(step, `"${result.kind}" where a value belongs`);
    default:
      return result satisfies never;
  }
}

import type { Datablock } from "../xdlms/datablock.ts";
import type { RequestScope } from "./ask.ts";
import { SessionError } from "./session-error.ts";

export type SplitBlock = Datablock;

/** Tag, choice, invoke id, last-block, block number and the longest length that stands before raw data. */
const NEXT_BLOCK_OVERHEAD_BYTES = 11;
/** A length of three octets where an empty block has one of one. */
const LONGER_LENGTH_BYTES = 2;

/**
 * Octets of raw data that fit beside the head of the first block.
 *
 * @throws SessionError `request-too-long` when there are no blocks to divide it into, or when not even one octet fits.
 */
export function firstBlockBytes(context: RequestScope, step: string, headBytes: number, agreed: boolean): number {
  const room = context.maxRequestBytes - headBytes - LONGER_LENGTH_BYTES;
  if (!agreed || room < 1) {
    const without = agreed
      ? ""
      : ", and nothing longer: neither in blocks of the service nor by general block transfer";
    throw new SessionError(
      "request-too-long",
      `${step}: the server takes ${context.maxRequestBytes} octets at a time${without}`,
    );
  }
  return room;
}

/** Cuts the octets of a long request into blocks, numbered from 1. */
export function* blocksOf(
  { maxRequestBytes, requestBlocks }: RequestScope,
  octets: Uint8Array,
  roomOfFirst: number,
): Generator<SplitBlock> {
  const { firstBytes = roomOfFirst, nextBytes = maxRequestBytes } = requestBlocks;
  const first = Math.max(1, Math.min(firstBytes, roomOfFirst));
  const next = Math.max(1, Math.min(nextBytes, maxRequestBytes - NEXT_BLOCK_OVERHEAD_BYTES));
  let offset = 0;
  for (let blockNumber = 1; offset < octets.length; blockNumber += 1) {
    const end = Math.min(octets.length, offset + (blockNumber === 1 ? first : next));
    yield { lastBlock: end === octets.length, blockNumber, rawData: octets.subarray(offset, end) };
    offset = end;
  }
}

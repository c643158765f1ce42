import {
  apdu as anyApdu,
  concatBytes,
  data,
  decode,
  encode,
  type PlainApdu,
  type RequestBlocks,
} from "@meterkeep/dlms";
import { type OpenedApdu, plainIn } from "./opened.ts";

/** A recorded request as if it had come in one piece. */
export interface WholeRequest {
  readonly request: Uint8Array | undefined;
  /** How the recorded client cut it. */
  readonly blocks: RequestBlocks;
}

const GENERAL_BLOCK = 0xe0;
/** Of a string that was never sent to its end. */
const LONGEST_STRING_BYTES = 100_000;
const WHOLE: RequestBlocks = {};

/** The request that begins at `at`, put together where it was sent in blocks of its service. */
export function recordedValue(apdus: readonly OpenedApdu[], at: number): WholeRequest {
  const start = apdus[at];
  if (start?.octets[0] === GENERAL_BLOCK) return generalBlocks(apdus, at);
  const first = plainIn(start?.inner);
  if (first === undefined) return { request: undefined, blocks: WHOLE };
  if (first.kind === "set-request" && first.value.kind === "with-first-datablock") {
    const { invokeIdAndPriority, attribute, block } = first.value.value;
    const { octets, blocks } = gather(apdus, at, block, (next) =>
      next.kind === "set-request" && next.value.kind === "with-datablock" ? next.value.value.block : undefined,
    );
    const value = valueIn(octets);
    const normal = { invokeIdAndPriority, attribute, value } as const;
    return { request: encode(anyApdu, { kind: "set-request", value: { kind: "normal", value: normal } }), blocks };
  }
  if (first.kind === "action-request" && first.value.kind === "with-first-pblock") {
    const { invokeIdAndPriority, method, block } = first.value.value;
    const { octets, blocks } = gather(apdus, at, block, (next) =>
      next.kind === "action-request" && next.value.kind === "with-pblock" ? next.value.value.block : undefined,
    );
    const normal = { invokeIdAndPriority, method, parameters: valueIn(octets) } as const;
    return { request: encode(anyApdu, { kind: "action-request", value: { kind: "normal", value: normal } }), blocks };
  }
  return { request: apdus[at]?.inner, blocks: WHOLE };
}

/** A request in general blocks: what they hold was deciphered with the first of them. */
function generalBlocks(apdus: readonly OpenedApdu[], at: number): WholeRequest {
  return { request: apdus[at]?.gathered, blocks: WHOLE };
}

interface Block {
  readonly lastBlock: boolean;
  readonly rawData: Uint8Array;
}

function gather(
  apdus: readonly OpenedApdu[],
  at: number,
  first: Block,
  blockOf: (apdu: PlainApdu) => Block | undefined,
): { readonly octets: Uint8Array; readonly blocks: RequestBlocks } {
  const parts = [first.rawData];
  for (let next = at + 1, last = first.lastBlock; !last && next < apdus.length; next += 1) {
    const { direction, inner } = apdus[next] as OpenedApdu;
    if (direction !== "sent") continue;
    const apdu = plainIn(inner);
    const block = apdu === undefined ? undefined : blockOf(apdu);
    if (block === undefined) break;
    parts.push(block.rawData);
    last = block.lastBlock;
  }
  return { octets: concatBytes(...parts), blocks: { firstBytes: first.rawData.length, nextBytes: parts[1]?.length } };
}

/** The value whose octets were sent; where the sending was broken off, with zeros for what is missing. */
function valueIn(octets: Uint8Array) {
  try {
    return decode(data, concatBytes(octets, new Uint8Array(LONGEST_STRING_BYTES)), { trailing: "ignore" });
  } catch {
    return { type: "octet-string", value: octets } as const;
  }
}

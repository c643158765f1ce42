import { decode } from "../codec/codec.ts";
import { Writer } from "../codec/writer.ts";
import type { ServedResult } from "../cosem/served.ts";
import { decodeApdu, encodeApdu } from "../cosem/service-octets.ts";
import { d } from "../data/d.ts";
import { DecodeError } from "../errors.ts";
import type { VariableAccess } from "../xdlms/read.ts";
import type { DATA_ACCESS_RESULTS } from "../xdlms/results.ts";
import { type WriteRequestOctets, type WriteResult, writeRequestOctets, writeResponse } from "../xdlms/write.ts";
import { IncomingBlocks } from "./block-transfer.ts";
import { agreed, type Call } from "./call.ts";
import { NO_INVOKE_ID } from "./connection.ts";
import { RequestRefused } from "./exception.ts";
import { callObject, findShortName, writeObject } from "./object-access.ts";

/** The tag of a WriteRequest. */
export const WRITE_REQUEST = 0x06;
/** The tag of an UnconfirmedWriteRequest. */
export const UNCONFIRMED_WRITE_REQUEST = 0x16;
const WRITE_RESPONSE = 0x0d;
const BLOCKS = "block-transfer-with-set-or-write";

type Refusal = Exclude<keyof typeof DATA_ACCESS_RESULTS, "success">;

/** Serves a WRITE request of short names (Green Book 9.3.15). */
export function serveWrite<Key, State>(call: Call<Key, State>, apdu: Uint8Array): Uint8Array {
  if (!agreed(call, "write")) throw new RequestRefused("not-supported");
  const request = decodeApdu(writeRequestOctets, apdu);
  const [variable, ...others] = request.variables;
  if (others.length === 0 && variable?.kind === "write-data-block-access")
    return takeBlock(call, variable.value, request.values[0]);
  return respond(writeAll(call, request));
}

/** Serves an UNCONFIRMED WRITE: done, and nothing said (Green Book 9.3.16). */
export function serveUnconfirmedWrite<Key, State>(call: Call<Key, State>, apdu: Uint8Array): undefined {
  if (!agreed(call, "unconfirmed-write")) throw new RequestRefused("not-supported");
  writeAll(call, decodeApdu(writeRequestOctets, apdu));
}

function writeAll<Key, State>(
  call: Call<Key, State>,
  { variables, values }: WriteRequestOctets,
): readonly WriteResult[] {
  if (variables.length > 1 && !agreed(call, "multiple-references")) throw new RequestRefused("not-supported");
  if (variables.length !== values.length) throw new RequestRefused("not-decodable");
  return variables.map((variable, at) => {
    const result = writeOne(call, variable, values[at] as Uint8Array);
    return result === "success" ? { kind: "success" } : { kind: "data-access-error", value: result };
  });
}

function writeOne<Key, State>(call: Call<Key, State>, variable: VariableAccess, value: Uint8Array): ServedResult {
  if (variable.kind !== "variable-name" && variable.kind !== "parameterized-access") return "type-unmatched";
  const parameterized = variable.kind === "parameterized-access" ? variable.value : undefined;
  const named = findShortName(call, variable.kind === "variable-name" ? variable.value : variable.value.variableName);
  if (named === undefined) return "object-undefined";
  if (named.kind === "attribute") {
    const selection = parameterized && { selector: parameterized.selector, parameters: parameterized.parameter };
    return writeObject(call, named.object, named.index, value, selection);
  }
  if (parameterized !== undefined) return "scope-of-access-violated";
  return callObject(call, new Writer(), named.object, named.index, value);
}

function takeBlock<Key, State>(
  call: Call<Key, State>,
  { lastBlock, blockNumber }: { readonly lastBlock: boolean; readonly blockNumber: number },
  value: Uint8Array | undefined,
): Uint8Array {
  if (!agreed(call, BLOCKS)) throw new RequestRefused("not-supported");
  const pending = call.pending?.transfer;
  const blocks =
    pending?.kind === "write-request" && blockNumber !== 1 ? pending.blocks : new IncomingBlocks(call.maxRequestBytes);
  const octets = decoded(() => decode(d.octetString, value ?? new Uint8Array(0)));
  switch (blocks.push({ last: lastBlock, number: blockNumber, octets })) {
    case "more":
      call.transfer = { invokeIdAndPriority: NO_INVOKE_ID, transfer: { kind: "write-request", blocks } };
      return respond([{ kind: "block-number", value: blockNumber }]);
    case "wrong-number":
      return refusal("data-block-number-invalid");
    case "too-long":
      return refusal("long-set-aborted");
    case "complete":
      return respond(
        writeAll(
          call,
          decoded(() => decode(writeRequestOctets, blocks.joined())),
        ),
      );
  }
}

function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) throw new RequestRefused("not-decodable");
    throw error;
  }
}

function refusal(value: Refusal): Uint8Array {
  return respond([{ kind: "data-access-error", value }]);
}

function respond(results: readonly WriteResult[]): Uint8Array {
  return encodeApdu(WRITE_RESPONSE, writeResponse, results);
}

import { encode } from "../codec/codec.ts";
import { Writer } from "../codec/writer.ts";
import { decodeApdu, encodeApdu } from "../cosem/service-octets.ts";
import { data } from "../data/data.ts";
import { NULL_DATA } from "../data/value.ts";
import { type AccessRequestOctets, accessRequestOctets, accessResponseOctets } from "../xdlms/access.ts";
import type { ACTION_RESULTS, DATA_ACCESS_RESULTS } from "../xdlms/results.ts";
import { agreed, type Call, fitsResponse } from "./call.ts";
import { RequestRefused } from "./exception.ts";
import { callMethod, readAttribute, writeAttribute } from "./object-access.ts";
import { MAX_LONG_RESPONSE_BYTES } from "./offer.ts";

/** The tag of an Access-Request. */
export const ACCESS_REQUEST = 0xd9;
const ACCESS_RESPONSE = 0xda;
const NO_DATA = encode(data, NULL_DATA);

type Specification = AccessRequestOctets["specifications"][number];
/** A result that all services know by the same name. */
type Result = keyof typeof DATA_ACCESS_RESULTS & keyof typeof ACTION_RESULTS;

/** Serves an ACCESS request (Green Book 9.3.5): one thing after the other, in order; undefined where none answers. */
export function serveAccess<Key, State>(call: Call<Key, State>, apdu: Uint8Array): Uint8Array | undefined {
  if (!agreed(call, "access")) throw new RequestRefused("not-supported");
  const { invokeIdAndPriority, dateTime, specifications, data: values } = decodeApdu(accessRequestOctets, apdu);
  if (specifications.length !== values.length) throw new RequestRefused("not-decodable");
  if (specifications.length > 1 && !agreed(call, "multiple-references")) throw new RequestRefused("not-supported");
  const results: { readonly kind: "get" | "set" | "action"; readonly value: Result }[] = [];
  const returned: Uint8Array[] = [];
  let bytes = 0;
  let stopped = false;
  for (const [at, specification] of specifications.entries()) {
    const writer = new Writer();
    const left = MAX_LONG_RESPONSE_BYTES - bytes;
    const value: Result =
      stopped || left < 0 ? "other-reason" : perform(call, specification, values[at] as Uint8Array, writer);
    stopped ||= value !== "success" && invokeIdAndPriority.breakOnError;
    results.push({ kind: SERVICE[specification.kind], value });
    const octets = writer.offset === 0 ? NO_DATA : writer.finish();
    bytes += octets.length;
    returned.push(octets);
  }
  if (!invokeIdAndPriority.confirmed) return undefined;
  const response = encodeApdu(ACCESS_RESPONSE, accessResponseOctets, {
    invokeIdAndPriority,
    ...(dateTime === undefined ? {} : { dateTime }),
    ...(invokeIdAndPriority.selfDescriptive ? { specifications } : {}),
    data: returned,
    results,
  });
  if (!fitsResponse(call, response.length)) throw new RequestRefused("too-long");
  return response;
}

const SERVICE = {
  get: "get",
  "get-with-selection": "get",
  set: "set",
  "set-with-selection": "set",
  action: "action",
} as const;

function perform<Key, State>(
  call: Call<Key, State>,
  specification: Specification,
  value: Uint8Array,
  writer: Writer,
): Result {
  switch (specification.kind) {
    case "get":
      return agreed(call, "get") ? readAttribute(call, writer, specification.value, undefined) : "read-write-denied";
    case "get-with-selection": {
      if (!agreed(call, "get")) return "read-write-denied";
      return readAttribute(call, writer, specification.value.attribute, specification.value.access);
    }
    case "set":
      return agreed(call, "set") ? writeAttribute(call, specification.value, value) : "read-write-denied";
    case "set-with-selection": {
      if (!agreed(call, "set")) return "read-write-denied";
      return writeAttribute(call, specification.value.attribute, value, specification.value.access);
    }
    case "action":
      return agreed(call, "action") ? callMethod(call, writer, specification.value, value) : "read-write-denied";
    default:
      return specification satisfies never;
  }
}

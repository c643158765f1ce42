import { encode } from "../codec/codec.ts";
import type { SelectiveAccessDescriptor } from "../cosem/selective-access.ts";
import { decodeApdu, encodeApdu } from "../cosem/service-octets.ts";
import { data } from "../data/data.ts";
import type { DateTime } from "../data/date-time.ts";
import { NULL_DATA } from "../data/value.ts";
import { type AccessRequestOctets, accessRequestOctets, accessResponseOctets } from "../xdlms/access.ts";
import type { ActionResult, DataAccessResult } from "../xdlms/results.ts";
import {
  type AttributeAddress,
  attributeDescriptorOf,
  type MethodAddress,
  methodDescriptorOf,
  type RequestScope,
  unexpected,
} from "./ask.ts";
import { SessionError } from "./session-error.ts";

const ACCESS_REQUEST = 0xd9;
const ACCESS_RESPONSE = 0xda;
const NO_DATA = encode(data, NULL_DATA);

/** One thing that an ACCESS request does. Values, parameters and what comes back are encoded Data. */
export type AccessItem =
  | { readonly kind: "get"; readonly address: AttributeAddress; readonly selection?: SelectiveAccessDescriptor }
  | {
      readonly kind: "set";
      readonly address: AttributeAddress;
      readonly value: Uint8Array;
      readonly selection?: SelectiveAccessDescriptor;
    }
  | { readonly kind: "call"; readonly address: MethodAddress; readonly parameter?: Uint8Array };

/** How one thing went. `value` is what was read or returned, null-data where there is nothing. */
export interface AccessResult {
  readonly kind: AccessItem["kind"];
  readonly result: DataAccessResult | ActionResult;
  readonly value: Uint8Array;
}

export interface AccessOptions {
  /** Stops at the first error; what comes after it was not done. */
  readonly breakOnError?: boolean;
  /** The time of the request, for servers that want one. */
  readonly dateTime?: DateTime;
  /** 24 bits; that of the session's next request unless given. */
  readonly invokeId?: number;
  /** Lets the response repeat what was asked. */
  readonly selfDescriptive?: boolean;
}

/** Asks ACCESS (Green Book 9.3.5). @throws SessionError `unexpected-response`, `request-too-long` */
export async function askAccess(
  scope: RequestScope,
  items: readonly AccessItem[],
  options: AccessOptions,
): Promise<readonly AccessResult[]> {
  const step = `access ${items.length} things`;
  const id = options.invokeId ?? scope.id.invokeId;
  const request = encodeApdu(ACCESS_REQUEST, accessRequestOctets, {
    invokeIdAndPriority: {
      invokeId: id,
      selfDescriptive: options.selfDescriptive ?? false,
      breakOnError: options.breakOnError ?? false,
      confirmed: true,
      highPriority: scope.id.highPriority,
    },
    ...(options.dateTime === undefined ? {} : { dateTime: options.dateTime }),
    specifications: items.map(specificationOf),
    data: items.map(dataOf),
  });
  if (request.length > scope.maxRequestBytes)
    throw new SessionError("request-too-long", `${step}: the server takes ${scope.maxRequestBytes} octets at a time`);
  const response = await scope.ask(request, step);
  if (response[0] !== ACCESS_RESPONSE)
    throw unexpected(step, `tag 0x${(response[0] ?? 0).toString(16)} is no access-response`);
  const answer = decodeApdu(accessResponseOctets, response);
  if (answer.invokeIdAndPriority.invokeId !== id)
    throw unexpected(step, `the answer carries invoke id ${answer.invokeIdAndPriority.invokeId} where ${id} was asked`);
  if (answer.results.length !== items.length || answer.data.length !== items.length)
    throw unexpected(
      step,
      `${answer.results.length} results and ${answer.data.length} values for ${items.length} things`,
    );
  return answer.results.map(({ kind, value }, at) => {
    const asked = (items[at] as AccessItem).kind;
    if (kind !== RESULT_KIND[asked]) throw unexpected(step, `result ${at} is one of "${kind}"`);
    return { kind: asked, result: value, value: answer.data[at] as Uint8Array };
  });
}

const RESULT_KIND = { get: "get", set: "set", call: "action" } as const;

function specificationOf(item: AccessItem): AccessRequestOctets["specifications"][number] {
  if (item.kind === "call") return { kind: "action", value: methodDescriptorOf(item.address) };
  const attribute = attributeDescriptorOf(item.address);
  if (item.selection === undefined) return { kind: item.kind, value: attribute };
  return { kind: `${item.kind}-with-selection`, value: { attribute, access: item.selection } };
}

function dataOf(item: AccessItem): Uint8Array {
  if (item.kind === "get") return NO_DATA;
  return item.kind === "set" ? item.value : (item.parameter ?? NO_DATA);
}

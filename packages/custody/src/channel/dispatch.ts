import {
  CUSTODIAN_METHODS,
  type CustodianCallCode,
  type CustodianMethod,
  callError,
  type Frame,
  frame,
  METHOD_BY_NAME,
  namedRequest,
} from "@meterkeep/api/custodian";
import { type Codec, DlmsError, decode, encode } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { CustodyError } from "../errors.ts";
import { isHalt } from "../ledger/halts.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { Custody } from "../service/custody.ts";

/** What answering a frame needs. */
export type Dispatching = Pick<Custody, "service" | "bursts" | "now" | "onFailure">;

/** What `callError` takes of a message, in octets of UTF-8. */
const MOST_MESSAGE_BYTES = 1024;

const BY_NUMBER = new Map(
  (Object.keys(CUSTODIAN_METHODS) as CustodianMethod[]).map((name) => [CUSTODIAN_METHODS[name].number as number, name]),
);

/**
 * Answers one frame of a caller, at once where nothing has to be waited for. Every failure is an error frame, and what is not
 * offered, or not to this caller, stands in the ledger before the caller hears of it.
 *
 * @throws DecodeError where the octets are no frame
 */
export function answer(octets: Uint8Array, caller: Caller, dispatching: Dispatching): Promise<Uint8Array> | Uint8Array {
  const request = decode(frame, octets);
  const { correlation, method } = request;
  const failed = (error: unknown): Uint8Array => {
    const { code, message } = outward(error, dispatching);
    return encode(frame, { kind: "error", correlation, method, payload: encode(callError, { code, message }) });
  };
  const given = (payload: Uint8Array): Uint8Array => encode(frame, { kind: "response", correlation, method, payload });
  try {
    const payload = carryOut(request, caller, dispatching);
    return payload instanceof Promise ? payload.then(given).catch(failed) : given(payload);
  } catch (error) {
    return failed(error);
  }
}

function carryOut(
  { kind, method, payload }: Frame,
  caller: Caller,
  dispatching: Dispatching,
): Promise<Uint8Array> | Uint8Array {
  if (kind !== "request") throw new CallRefusal("request-malformed", "only requests are answered here");
  const name = BY_NUMBER.get(method);
  if (name === undefined) {
    const asked = method === METHOD_BY_NAME ? askedName(payload) : `number ${method}`;
    const refusal = `there is no method "${asked}": nothing this custodian does gives it`;
    return refused(dispatching, caller, asked, new CallRefusal("method-not-offered", refusal));
  }
  const { request, response, roles } = CUSTODIAN_METHODS[name];
  if (!(roles as readonly string[]).includes(caller.role))
    return refused(
      dispatching,
      caller,
      name,
      new CallRefusal("method-not-permitted", `a ${caller.role} may not call ${name}`),
    );
  // The table ties each name to its request and response; TypeScript cannot follow it through a lookup.
  const call = dispatching.service[name] as (value: unknown, caller: Caller) => unknown;
  const value = call(decode(request as Codec<unknown>, payload), caller);
  const encoded = (given: unknown): Uint8Array => encode(response as Codec<unknown>, given);
  return value instanceof Promise ? value.then(encoded) : encoded(value);
}

function askedName(payload: Uint8Array): string {
  const { name } = decode(namedRequest, payload);
  return name.replaceAll(/[^\w .-]/g, "?");
}

async function refused(
  { bursts, now }: Dispatching,
  caller: Caller,
  method: string,
  refusal: CallRefusal,
): Promise<never> {
  await bursts.record([installationEntry(now(), refusal.code, caller.name, { role: caller.role, method })]);
  throw refusal;
}

function outward(
  error: unknown,
  { onFailure }: Dispatching,
): { readonly code: CustodianCallCode; readonly message: string } {
  if (error instanceof CallRefusal) return { code: error.code, message: shortened(error.message) };
  if (error instanceof DlmsError && error.name === "DecodeError")
    return { code: "request-malformed", message: shortened(error.message) };
  if (error instanceof CustodyError && (error.code === "custody-closed" || error.code === "custody-fenced"))
    return { code: "custodian-closing", message: "the custodian is closing; ask again when it is back" };
  if (isHalt(error)) return { code: "ledger-halted", message: shortened(error.message) };
  onFailure(error);
  return { code: "custodian-failed", message: "the custodian could not do this; its own log says why" };
}

/** A message within what an error frame takes: as many whole characters as there is room for. */
function shortened(message: string): string {
  const octets = new Uint8Array(MOST_MESSAGE_BYTES);
  const { written } = new TextEncoder().encodeInto(message.toWellFormed(), octets);
  return new TextDecoder().decode(octets.subarray(0, written));
}

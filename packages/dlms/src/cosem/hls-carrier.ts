import { decode, encode } from "../codec/codec.ts";
import type { InvokeIdAndPriority } from "../xdlms/invoke-id.ts";
import { readRequestOctets, readResponseOctets } from "../xdlms/read.ts";
import { ASSOCIATION_BASE_NAME, methodShortName } from "../xdlms/referencing.ts";
import { AssociationLn } from "./classes/association-ln.ts";
import { AssociationSn } from "./classes/association-sn.ts";
import { logicalNameOctets, logicalNameText } from "./logical-name.ts";
import { actionRequestNormal, actionResponseNormal, NORMAL } from "./normal-apdus.ts";
import { decodeApdu, decodeForm, encodeApdu, encodeForm } from "./service-octets.ts";

// Passes 3 and 4 of high level security: the method reply_to_HLS_authentication of the current association, called by an
// ACTION, or with short names by a READ with the answer as its parameter (Green Book 9.2.2.2.2.4).

const CURRENT_ASSOCIATION = "0.0.40.0.0.255";
const { index: methodId, parameter: answerData } = AssociationLn.methods.replyToHlsAuthentication;
const INVOKE_ID: InvokeIdAndPriority = { invokeId: 1, confirmed: true, highPriority: true };
const READ_REQUEST = 0x05;
const READ_RESPONSE = 0x0c;
/** The selector stands where selective access has one; a method has none to choose. */
const NO_SELECTOR = 0;

/** A call of reply_to_HLS_authentication. */
export interface HlsCall {
  /** Undefined with short names, which have none. */
  readonly id: InvokeIdAndPriority | undefined;
  readonly answer: Uint8Array;
}

/** Writes the call. @param baseName of the association object, with short names */
export function encodeHlsCall(answer: Uint8Array, baseName: number | undefined): Uint8Array {
  const parameter = encode(answerData, answer);
  if (baseName !== undefined) {
    const value = { variableName: replyName(baseName), selector: NO_SELECTOR, parameter };
    return encodeApdu(READ_REQUEST, readRequestOctets, [{ kind: "parameterized-access", value }]);
  }
  return encodeForm(NORMAL.actionRequest, actionRequestNormal, {
    invokeIdAndPriority: INVOKE_ID,
    method: { classId: AssociationLn.id, instanceId: logicalNameOctets(CURRENT_ASSOCIATION), methodId },
    parameters: parameter,
  });
}

/** Reads the call; undefined for any other request. @throws DecodeError */
export function decodeHlsCall(plain: Uint8Array): HlsCall | undefined {
  if (plain[0] === READ_REQUEST) {
    const [access, ...others] = decodeApdu(readRequestOctets, plain);
    if (access?.kind !== "parameterized-access" || others.length > 0) return undefined;
    const { variableName, parameter } = access.value;
    return variableName === replyName(ASSOCIATION_BASE_NAME)
      ? { id: undefined, answer: decode(answerData, parameter) }
      : undefined;
  }
  const [tag, choice] = NORMAL.actionRequest;
  if (plain[0] !== tag || plain[1] !== choice) return undefined;
  const { invokeIdAndPriority: id, method, parameters } = decodeForm(actionRequestNormal, plain);
  const isReply =
    method.classId === AssociationLn.id &&
    method.methodId === methodId &&
    logicalNameText(method.instanceId) === CURRENT_ASSOCIATION;
  return isReply && parameters !== undefined ? { id, answer: decode(answerData, parameters) } : undefined;
}

/** Writes the result of a call: the server's own answer, or a refusal. */
export function encodeHlsResult({ id }: HlsCall, answer: Uint8Array | undefined): Uint8Array {
  if (id === undefined) {
    const refused = { kind: "data-access-error", value: "read-write-denied" } as const;
    const result = answer === undefined ? refused : ({ kind: "data", value: encode(answerData, answer) } as const);
    return encodeApdu(READ_RESPONSE, readResponseOctets, [result]);
  }
  const outcome =
    answer === undefined
      ? ({ result: "read-write-denied" } as const)
      : ({ result: "success", returned: { kind: "data", value: encode(answerData, answer) } } as const);
  return encodeForm(NORMAL.actionResponse, actionResponseNormal, { invokeIdAndPriority: id, outcome });
}

/** What a server says to the call. */
export type HlsResult =
  | { readonly kind: "answer"; readonly answer: Uint8Array | undefined }
  | { readonly kind: "refused"; readonly reason: string };

/** Reads the result of a call; undefined for any other response. @throws DecodeError */
export function decodeHlsResult(plain: Uint8Array): HlsResult | undefined {
  if (plain[0] === READ_RESPONSE) {
    const [result, ...others] = decodeApdu(readResponseOctets, plain);
    if (others.length > 0) return undefined;
    if (result?.kind === "data-access-error") return { kind: "refused", reason: String(result.value) };
    return result?.kind === "data" ? { kind: "answer", answer: decode(answerData, result.value) } : undefined;
  }
  const [tag, choice] = NORMAL.actionResponse;
  if (plain[0] !== tag || plain[1] !== choice) return undefined;
  const { result, returned } = decodeForm(actionResponseNormal, plain).outcome;
  if (result !== "success") return { kind: "refused", reason: String(result) };
  return { kind: "answer", answer: returned?.kind === "data" ? decode(answerData, returned.value) : undefined };
}

function replyName(baseName: number): number {
  const { methodOffset = 0, methods } = AssociationSn;
  return methodShortName(baseName, methodOffset, methods.replyToHlsAuthentication.index);
}

import { apdu, type Data, type DlmsError, data, decode, encode, logicalNameOctets } from "@meterkeep/dlms";
import { mBusClientName } from "./meter-facts.ts";

/** An attribute to be read. */
export interface AttributeName {
  readonly classId: number;
  readonly logicalName: string;
  readonly attributeId: number;
}

const INVOKE = { invokeId: 1, confirmed: true, highPriority: true } as const;
const ASSOCIATION = { classId: 15, secret: 7, changeHlsSecret: 2 } as const;
const SECURITY_ACTIVATE = { classId: 64, methodId: 1 } as const;
const M_BUS = { classId: 72, setEncryptionKey: 7, transferKey: 8 } as const;
const KEY_TRANSFER = { classId: 64, methodId: 2 } as const;
const KEY_AGREEMENT = { classId: 64, methodId: 3 } as const;

/** A GET of one attribute. */
export function getRequest({ classId, logicalName, attributeId }: AttributeName): Uint8Array {
  const attribute = { classId, instanceId: logicalNameOctets(logicalName), attributeId };
  return encode(apdu, {
    kind: "get-request",
    value: { kind: "normal", value: { invokeIdAndPriority: INVOKE, attribute } },
  });
}

/** What a GET gave; undefined where the answer is a refusal or something else. @throws DecodeError */
export function getResult(plain: Uint8Array): Data | undefined {
  const answer = decode(apdu, plain);
  if (answer.kind !== "get-response" || answer.value.kind !== "normal") return undefined;
  const { result } = answer.value.value;
  return result.kind === "data" ? result.value : undefined;
}

/** Controls (NUL is in no text of a database), what turns or hides the text beside it, halves of characters, line ends. */
const DISTURBING = /[\p{C}\p{Zl}\p{Zp}]/u;

/** Text of an octet-string, visible-string or utf8-string; what is not printable gives hex. */
export function textOf(value: Data | undefined): string | undefined {
  if (value?.type === "visible-string" || value?.type === "utf8-string") {
    const text = String(value.value);
    return DISTURBING.test(text) ? Buffer.from(text, "utf8").toString("hex") : text;
  }
  if (value?.type !== "octet-string") return undefined;
  const octets = Buffer.from(value.value as Uint8Array);
  return octets.every((octet) => octet >= 0x20 && octet <= 0x7e) ? octets.toString("latin1") : octets.toString("hex");
}

/** key_transfer (class 64, method 2; global_key_transfer in version 0) with keys wrapped already. */
export function keyTransferRequest(
  setupName: string,
  keys: readonly { readonly keyId: number; readonly wrapped: Uint8Array }[],
): Uint8Array {
  const parameters: Data = {
    type: "array",
    value: keys.map(({ keyId, wrapped }) => ({
      type: "structure",
      value: [
        { type: "enum", value: keyId },
        { type: "octet-string", value: wrapped },
      ],
    })),
  };
  return actionRequest(KEY_TRANSFER.classId, setupName, KEY_TRANSFER.methodId, parameters);
}

/** key_agreement (class 64, method 3) of one key. */
export function keyAgreementRequest(setupName: string, keyId: number, keyData: Uint8Array): Uint8Array {
  const key: Data = {
    type: "structure",
    value: [
      { type: "enum", value: keyId },
      { type: "octet-string", value: keyData },
    ],
  };
  return actionRequest(KEY_AGREEMENT.classId, setupName, KEY_AGREEMENT.methodId, { type: "array", value: [key] });
}

/** Gives a client's password (class 15, attribute 7). */
export function setPasswordRequest(associationObject: string, password: Uint8Array): Uint8Array {
  const attribute = {
    classId: ASSOCIATION.classId,
    instanceId: logicalNameOctets(associationObject),
    attributeId: ASSOCIATION.secret,
  };
  const value: Data = { type: "octet-string", value: password };
  return encode(apdu, {
    kind: "set-request",
    value: { kind: "normal", value: { invokeIdAndPriority: INVOKE, attribute, value } },
  });
}

/** change_HLS_secret (class 15, method 2). */
export function changeHlsSecretRequest(associationObject: string, secret: Uint8Array): Uint8Array {
  return actionRequest(ASSOCIATION.classId, associationObject, ASSOCIATION.changeHlsSecret, {
    type: "octet-string",
    value: secret,
  });
}

/** transfer_key (class 72, method 8) of a channel: a key for its device, wrapped under the device's default key. */
export function transferKeyRequest(channel: number, wrapped: Uint8Array): Uint8Array {
  return actionRequest(M_BUS.classId, mBusClientName(channel), M_BUS.transferKey, {
    type: "octet-string",
    value: wrapped,
  });
}

/** set_encryption_key (class 72, method 7) of a channel. */
export function setEncryptionKeyRequest(channel: number, key: Uint8Array): Uint8Array {
  return actionRequest(M_BUS.classId, mBusClientName(channel), M_BUS.setEncryptionKey, {
    type: "octet-string",
    value: key,
  });
}

/** security_policy (class 64, attribute 2). */
export function policyObject(setupName: string): AttributeName {
  return { classId: SECURITY_ACTIVATE.classId, logicalName: setupName, attributeId: 2 };
}

/** security_activate (class 64, method 1). */
export function securityActivateRequest(setupName: string, policy: number): Uint8Array {
  return actionRequest(SECURITY_ACTIVATE.classId, setupName, SECURITY_ACTIVATE.methodId, {
    type: "enum",
    value: policy,
  });
}

function actionRequest(classId: number, logicalName: string, methodId: number, parameters: Data): Uint8Array {
  const method = { classId, methodId, instanceId: logicalNameOctets(logicalName) };
  return encode(apdu, {
    kind: "action-request",
    value: { kind: "normal", value: { invokeIdAndPriority: INVOKE, method, parameters } },
  });
}

/** The result of a SET; undefined where the answer is something else. @throws DecodeError */
export function setResult(plain: Uint8Array): string | undefined {
  const answer = decode(apdu, plain);
  if (answer.kind !== "set-response" || answer.value.kind !== "normal") return undefined;
  return String(answer.value.value.result);
}

/** A method called with a parameter that is encoded already. */
export function encodedActionRequest(
  classId: number,
  logicalName: string,
  methodId: number,
  parameter: Uint8Array,
): Uint8Array {
  return actionRequest(classId, logicalName, methodId, decode(data, parameter));
}

/** What an ACTION gave back; undefined where the answer is something else. @throws DecodeError */
export function actionAnswer(
  plain: Uint8Array,
): { readonly result: string; readonly returned: Data | undefined } | undefined {
  const answer = decode(apdu, plain);
  if (answer.kind !== "action-response" || answer.value.kind !== "normal") return undefined;
  const { result, returned } = answer.value.value.outcome;
  return { result: String(result), returned: returned?.kind === "data" ? returned.value : undefined };
}

/** The result of an ACTION; undefined where the answer is something else. @throws DecodeError */
export function actionResult(plain: Uint8Array): string | undefined {
  const answer = decode(apdu, plain);
  if (answer.kind !== "action-response" || answer.value.kind !== "normal") return undefined;
  return String(answer.value.value.outcome.result);
}

/** What went wrong, for the ledger: a code and what the meter said. */
export function reasonOf(error: DlmsError): string {
  const said = (error as { reason?: string }).reason;
  return said === undefined ? error.code : `${error.code}: ${said}`;
}

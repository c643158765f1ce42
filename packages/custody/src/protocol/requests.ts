import { apdu, type Data, type DlmsError, decode, encode, logicalNameOctets } from "@meterkeep/dlms";

/** An attribute to be read. */
export interface AttributeName {
  readonly classId: number;
  readonly logicalName: string;
  readonly attributeId: number;
}

const INVOKE = { invokeId: 1, confirmed: true, highPriority: true } as const;
const KEY_TRANSFER = { classId: 64, methodId: 2 } as const;

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

/** Text of an octet-string or visible-string; what is not printable gives hex. */
export function textOf(value: Data | undefined): string | undefined {
  if (value?.type === "visible-string" || value?.type === "utf8-string") return String(value.value);
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
  const method = { ...KEY_TRANSFER, instanceId: logicalNameOctets(setupName) };
  return encode(apdu, {
    kind: "action-request",
    value: { kind: "normal", value: { invokeIdAndPriority: INVOKE, method, parameters } },
  });
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

import { concatBytes, logicalNameOctets } from "@meterkeep/dlms";

/** An attribute or a method. */
export interface Member {
  readonly classId: number;
  readonly logicalName: string;
  readonly index: number;
}

/** Objects that the checks ask for: every meter has them. */
export const DEVICE_NAME: Member = { classId: 1, logicalName: "0.0.42.0.0.255", index: 2 };
export const CLOCK_TIME: Member = { classId: 8, logicalName: "0.0.1.0.0.255", index: 2 };
export const OBJECT_LIST: Member = { classId: 15, logicalName: "0.0.40.0.0.255", index: 2 };
export const REPLY_TO_HLS: Member = { classId: 15, logicalName: "0.0.40.0.0.255", index: 1 };

const INVOKE_ID = 0xc1;

/** Get-Request-Normal without selective access. */
export function getRequest(member: Member): Uint8Array {
  return concatBytes(Uint8Array.of(0xc0, 0x01, INVOKE_ID), descriptor(member), Uint8Array.of(0x00));
}

/** Set-Request-Normal of encoded Data. */
export function setRequest(member: Member, value: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(0xc1, 0x01, INVOKE_ID), descriptor(member), Uint8Array.of(0x00), value);
}

/** Action-Request-Normal with encoded Data. */
export function actionRequest(member: Member, parameter: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(0xc3, 0x01, INVOKE_ID), descriptor(member), Uint8Array.of(0x01), parameter);
}

/** The encoded Data in a Get-Response-Normal that brought some. */
export function dataIn(plainResponse: Uint8Array): Uint8Array {
  return plainResponse.subarray(4);
}

function descriptor({ classId, logicalName, index }: Member): Uint8Array {
  return concatBytes(Uint8Array.of(classId >> 8, classId & 0xff), logicalNameOctets(logicalName), Uint8Array.of(index));
}

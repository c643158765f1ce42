import {
  ASSOCIATION_BASE_NAME,
  attributeShortName,
  concatBytes,
  logicalNameOctets,
  type ShortNameListElement,
} from "@meterkeep/dlms";
import { NotTestable } from "./not-testable.ts";

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

/** How a meter's members are asked for: by logical or by short names. */
export interface RequestForms {
  /** The plain APDU that reads an attribute. @throws NotTestable where the meter has no name for it */
  get(member: Member): Uint8Array;
  /** The plain APDU that writes encoded Data. @throws NotTestable as `get` */
  set(member: Member, value: Uint8Array): Uint8Array;
}

const INVOKE_ID = 0xc1;

/** Get-Request-Normal and Set-Request-Normal. */
export const LOGICAL_NAME_REQUESTS: RequestForms = {
  get: (member) => concatBytes(Uint8Array.of(0xc0, 0x01, INVOKE_ID), descriptor(member), Uint8Array.of(0x00)),
  set: (member, value) =>
    concatBytes(Uint8Array.of(0xc1, 0x01, INVOKE_ID), descriptor(member), Uint8Array.of(0x00), value),
};

/** The base name of the Data object with the logical device name (Blue Book 4.1.4). */
const DEVICE_NAME_BASE = 0xfd00;
const VARIABLE_NAME = 2;

/** ReadRequest and WriteRequest of one variable, by the base names of the meter's object list. */
export function shortNameRequests(objects: readonly ShortNameListElement[]): RequestForms {
  const bases = new Map(objects.map(({ classId, logicalName, baseName }) => [`${classId} ${logicalName}`, baseName]));
  const reserved = new Map([
    [`${OBJECT_LIST.classId} ${OBJECT_LIST.logicalName}`, ASSOCIATION_BASE_NAME],
    [`${DEVICE_NAME.classId} ${DEVICE_NAME.logicalName}`, DEVICE_NAME_BASE],
  ]);
  const variable = ({ classId, logicalName, index }: Member): Uint8Array => {
    const key = `${classId} ${logicalName}`;
    const base = bases.get(key) ?? reserved.get(key);
    if (base === undefined) throw new NotTestable(`The meter has no short name for ${logicalName}.`);
    const name = attributeShortName(base, index);
    return Uint8Array.of(0x01, VARIABLE_NAME, name >> 8, name & 0xff);
  };
  return {
    get: (member) => concatBytes(Uint8Array.of(0x05), variable(member)),
    set: (member, value) => concatBytes(Uint8Array.of(0x06), variable(member), Uint8Array.of(0x01), value),
  };
}

/** The encoded Data in a Get-Response-Normal or a ReadResponse that brought some. */
export function dataIn(plainResponse: Uint8Array): Uint8Array {
  return plainResponse.subarray(plainResponse[0] === READ_RESPONSE ? 3 : 4);
}

const READ_RESPONSE = 0x0c;

function descriptor({ classId, logicalName, index }: Member): Uint8Array {
  return concatBytes(Uint8Array.of(classId >> 8, classId & 0xff), logicalNameOctets(logicalName), Uint8Array.of(index));
}

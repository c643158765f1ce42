import {
  cosemDate,
  cosemTime,
  type Data,
  DecodeError,
  data,
  dateOctets,
  dateTime,
  dateTimeOctets,
  decode,
  encode,
  interfaceClassOf,
  logicalNameOctets,
  type NamedAttribute,
  obisFromOctets,
  QUANTITY_UNITS,
  quantityOf,
  timeOctets,
  unitNumber,
} from "@meterkeep/dlms";
import { ascii } from "../text.ts";
import { exampleData, exampleValue } from "./example-value.ts";
import type { ModelledObject } from "./model-file.ts";

/** The value of an attribute as Data, and whether it is the one that its class declares. */
export interface InitialValue {
  readonly octets: Uint8Array;
  /** Absent where the value has the declared type; else why it has another one. */
  readonly deviation?: string;
}

/** The name that every model meter gives to its logical device. */
export const LOGICAL_DEVICE_NAME = "MKV0000000000001";
const COUNT_UNIT = 255;
const LOGICAL_DEVICE_NAME_OBJECT = "0.0.42.0.0.255";

/**
 * What a virtual meter answers for an attribute of its model as long as nobody has written another value: of the type
 * that the model found, else of the type that the class declares; of the class's own unit and of a size that follows
 * from the name, so that values can be told apart.
 */
export function initialValue(
  object: ModelledObject,
  index: number,
  declared: NamedAttribute | undefined,
): InitialValue {
  if (index === 1) return { octets: encode(data, octetString(logicalNameOctets(object.logicalName))) };
  const type = object.attributes?.find((attribute) => attribute.index === index)?.type;
  if (declared === undefined)
    return { octets: encode(data, exampleData(type ?? "null-data")), deviation: "undeclared" };
  const told = known(object, declared.name);
  const octets =
    told !== undefined && fits(declared, told) ? told : encode(declared.codec, exampleValue(declared.codec.shape));
  if (type === undefined) return { octets };
  const chosen = decode(data, octets);
  if (chosen.type === type) return { octets };
  const wanted = encode(data, typedExample(object, type));
  return fits(declared, wanted)
    ? { octets: wanted }
    : { octets: wanted, deviation: `${type} where the class declares ${chosen.type}` };
}

/** Values that the class and the logical name tell. */
function known(object: ModelledObject, name: string): Uint8Array | undefined {
  const { classId, logicalName } = object;
  if (name === "scalerUnit") {
    const code = obisFromOctets(logicalNameOctets(logicalName));
    const quantity = code === undefined ? undefined : quantityOf(code);
    const unit = quantity === undefined ? COUNT_UNIT : (unitNumber(QUANTITY_UNITS[quantity]) ?? COUNT_UNIT);
    const { codec } = interfaceClassOf(3, 0)?.attributes["scalerUnit"] ?? {};
    return codec === undefined ? undefined : encode(codec, { scaler: 0, unit });
  }
  if (name === "sapAssignmentList")
    return encode(data, {
      type: "array",
      value: [{ type: "structure", value: [{ type: "long-unsigned", value: 1 }, text(LOGICAL_DEVICE_NAME)] }],
    });
  if (logicalName === LOGICAL_DEVICE_NAME_OBJECT && classId === 1) return encode(data, text(LOGICAL_DEVICE_NAME));
  const moment = name === "value" ? momentOf(logicalName) : undefined;
  if (moment !== undefined) return encode(data, octetString(moment));
  if (VALUES.has(name)) return encode(data, { type: "double-long-unsigned", value: numberOf(logicalName) });
  if (name === "status") return encode(data, { type: "unsigned", value: 0 });
  return undefined;
}

const VALUES: ReadonlySet<string> = new Set(["value", "currentAverageValue", "lastAverageValue"]);

function typedExample(object: ModelledObject, type: Data["type"]): Data {
  const number = numberOf(object.logicalName);
  switch (type) {
    case "double-long-unsigned":
    case "double-long":
      return { type, value: number };
    case "long-unsigned":
    case "long":
      return { type, value: number % 0x8000 };
    case "unsigned":
    case "integer":
      return { type, value: number % 0x80 };
    case "long64":
    case "long64-unsigned":
      return { type, value: BigInt(number) };
    case "octet-string":
      return octetString(momentOf(object.logicalName) ?? ascii(object.logicalName));
    case "visible-string":
    case "utf8-string":
      return { type, value: object.logicalName };
    default:
      return exampleData(type);
  }
}

/** Midnight of 1 January 2026, of objects whose names say that they hold a time, a date or both (Blue Book 7.4.1). */
function momentOf(logicalName: string): Uint8Array | undefined {
  const [, , c, d, e] = logicalNameOctets(logicalName);
  if (c !== 0) return undefined;
  if (d === 9 && e === 1) return encode(timeOctets, MIDNIGHT);
  if (d === 9 && e === 2) return encode(dateOctets, NEW_YEAR);
  return d === 1 && e === 2 ? encode(dateTimeOctets, dateTime({ ...NEW_YEAR, ...MIDNIGHT })) : undefined;
}

const MIDNIGHT = cosemTime({ hour: 0, minute: 0, second: 0 });
const NEW_YEAR = cosemDate({ year: 2026, month: 1, dayOfMonth: 1 });

function fits(declared: NamedAttribute, octets: Uint8Array): boolean {
  try {
    decode(declared.codec, octets);
    return true;
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}

/** A number below a million that follows from the logical name. */
function numberOf(logicalName: string): number {
  let hash = 0x811c9dc5;
  for (const octet of logicalNameOctets(logicalName)) hash = Math.imul(hash ^ octet, 0x01000193) >>> 0;
  return hash % 1_000_000;
}

function octetString(value: Uint8Array): Data {
  return { type: "octet-string", value };
}

function text(value: string): Data {
  return octetString(ascii(value));
}

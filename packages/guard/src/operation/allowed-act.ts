import { type DateTime, data, decode, fromHex, instantOf, toHex } from "@meterkeep/dlms";
import { type Field, type FieldValue, hexOctets, kinds, object, oneOf, whole } from "../canonical/field.ts";
import type { AskedAct } from "../classify.ts";
import { type AskedOn, isOwnMoment, ownMomentFields } from "./own-moment.ts";

/** What a request may do to one member of one object. */
export const SERVICES = ["get", "set", "action"] as const;

/** Six octets of a logical name as lower-case hex. */
export const logicalName: Field<string> = hexOctets(6, 6);
/** One encoded COSEM Data, as lower-case hex. */
export const dataValue: Field<string> = hexOctets(0, 32_768);

/** One member of one object. */
export const memberFields = { classId: whole(0, 0xffff), instance: logicalName, member: whole(-128, 127) } as const;

const value = kinds({
  /** These octets of Data; none where a method takes no parameters. */
  exact: { octets: dataValue },
  /** A date-time no further from the custodian's own time than so many seconds. */
  "time-now": { toleranceSeconds: whole(0, 3600) },
  /** A `long` of so many seconds at most, forwards or backwards. */
  "seconds-within": { mostSeconds: whole(1, 900) },
  /** One block of a firmware image of so many: structure { number, octets }. */
  "image-block": { blocks: whole(1, 1_000_000) },
  /** One execution time of a schedule: the meter's own moment in the next whole window, on a clock so far ahead of UTC. */
  "own-moment": ownMomentFields,
});

/** An act that an operation allows, as a document. */
export const allowedAct = object({ service: oneOf(SERVICES), ...memberFields, value });
/** An act that an operation allows: the whole of it, so that nothing else fits. */
export type AllowedAct = FieldValue<typeof allowedAct>;

/**
 * Whether an act may come many times under one token: what carries an image, piece by piece. Beginning anew and verifying
 * again are harmless with the one image that was approved, and all that is left after a power cut; activating is not.
 */
export function isRepeatable({ value: { kind }, classId, service, member }: AllowedAct): boolean {
  const activates = service === "action" && member === IMAGE_ACTIVATE;
  return kind === "image-block" || (classId === IMAGE_TRANSFER && !activates);
}

const IMAGE_TRANSFER = 18;
const IMAGE_ACTIVATE = 4;

/** What an act that was asked for has besides what is allowed, or undefined where it is just that. */
export function differenceOf(allowed: AllowedAct, asked: AskedAct, on: AskedOn): string | undefined {
  if (asked.service !== allowed.service) return `a ${asked.service}, not a ${allowed.service}`;
  if (asked.classId !== allowed.classId || asked.member !== allowed.member)
    return `member ${asked.member} of class ${asked.classId}, not ${allowed.member} of class ${allowed.classId}`;
  if (toHex(asked.instanceId) !== allowed.instance) return "another object of the class";
  if (asked.hasSelection) return "a part of the attribute is selected";
  switch (allowed.value.kind) {
    case "exact":
      return toHex(asked.value ?? new Uint8Array(0)) === allowed.value.octets ? undefined : "another value";
    case "time-now": {
      const at = timeIn(asked.value);
      if (at === undefined) return "not a full date-time with its deviation";
      return Math.abs(at - on.now) <= allowed.value.toleranceSeconds * 1000 ? undefined : "not the present time";
    }
    case "seconds-within":
      return isWithin(asked.value, allowed.value.mostSeconds) ? undefined : "more seconds than that";
    case "image-block":
      return isBlock(asked.value, allowed.value.blocks) ? undefined : "not a block of the image";
    case "own-moment":
      return isOwnMoment(asked.value, allowed.value, on) ? undefined : "not the meter's own moment";
    default:
      return allowed.value satisfies never;
  }
}

/** The moment that a clock is set to, where it says all of it. */
function timeIn(octets: Uint8Array | undefined): number | undefined {
  if (octets === undefined) return undefined;
  const read = decode(data, octets);
  const at =
    read.type === "octet-string" && read.value.length === 12
      ? (decode(data, Uint8Array.of(DATE_TIME_TAG, ...read.value)).value as DateTime)
      : read.type === "date-time"
        ? read.value
        : undefined;
  return at?.deviation === undefined ? undefined : instantOf(at);
}

const DATE_TIME_TAG = 25;

function isWithin(octets: Uint8Array | undefined, mostSeconds: number): boolean {
  if (octets === undefined) return false;
  const read = decode(data, octets);
  return read.type === "long" && Math.abs(read.value) <= mostSeconds;
}

function isBlock(octets: Uint8Array | undefined, blocks: number): boolean {
  if (octets === undefined) return false;
  const read = decode(data, octets);
  if (read.type !== "structure" || read.value.length !== 2) return false;
  const [number, content] = read.value;
  return number?.type === "double-long-unsigned" && number.value < blocks && content?.type === "octet-string";
}

/** An act with exactly one value. */
export function exactAct(
  service: AllowedAct["service"],
  target: { readonly classId: number; readonly instance: string; readonly member: number },
  octets: string,
): AllowedAct {
  return { service, ...target, value: { kind: "exact", octets } };
}

/** The target of an act as package guard's table of effects wants it. */
export function targetOf({ service, classId, instance, member }: AllowedAct) {
  const object = { classId, instanceId: fromHex(instance) };
  return service === "action" ? { ...object, method: member } : { ...object, attribute: member };
}

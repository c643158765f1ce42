import { data, decode, encode, fromHex, toHex } from "@meterkeep/dlms";
import { oneOf, optional, text, whole } from "../canonical/field.ts";
import { type AllowedAct, dataValue, exactAct, logicalName } from "./allowed-act.ts";
import { operationKind } from "./operation-kind.ts";

const U16 = 0xffff;
const U32 = 0xffff_ffff;

const MEMBER_OF_DURATION = { over: 6, under: 7 } as const;
const whichDuration = oneOf(["over", "under"]);
const durationSeconds = whole(0, U32);
const shortSeconds = optional(whole(0, U16));
const count = optional(whole(0, 255));
const destinationText = text(256);

/** Operations that give an object its parameters, several at once; those that are absent are left as they are. */
export const PARAMETER_OPERATIONS = {
  "special-days": operationKind({
    fields: { instance: logicalName, entries: dataValue },
    acts: ({ instance, entries }) => [exactAct("set", { classId: 11, instance, member: 2 }, entries)],
    words: ({ entries }) => `set ${daysIn(entries) ?? 0} special days of the tariff calendar`,
    // A day only chooses among the day profiles of a calendar, whose scripts were looked at when it was set.
    direction: "none",
    problem: ({ entries }) => (daysIn(entries) === undefined ? "its entries are no special days table" : undefined),
  }),
  "limiter-duration": operationKind({
    fields: { instance: logicalName, which: whichDuration, seconds: durationSeconds },
    acts: ({ instance, which, seconds }) => [
      exactAct(
        "set",
        { classId: 71, instance, member: MEMBER_OF_DURATION[which] },
        octetsOf("double-long-unsigned", seconds),
      ),
    ],
    words: ({ which, seconds }) => `let the limiter act after ${seconds} s ${which} its threshold`,
    direction: "off",
  }),
  "push-setup": operationKind({
    fields: {
      instance: logicalName,
      /** transport_service_type (Blue Book 4.4.8). */
      transport: whole(0, 255),
      destination: destinationText,
      message: whole(0, 255),
      randomisationSeconds: shortSeconds,
      retries: count,
      repetitionSeconds: shortSeconds,
    },
    acts: ({ instance, transport, destination, message, randomisationSeconds, retries, repetitionSeconds }) => [
      pushDestinationAct({ instance, transport, destination, message }),
      ...given([
        [5, "long-unsigned", randomisationSeconds],
        [6, "unsigned", retries],
        [7, "long-unsigned", repetitionSeconds],
      ]).map(([member, octets]) => exactAct("set", { classId: 40, instance, member }, octets)),
    ],
    words: ({ destination, randomisationSeconds, retries, repetitionSeconds }) => {
      const more = listed({
        "within seconds": randomisationSeconds,
        retries: retries,
        "seconds between them": repetitionSeconds,
      });
      return `let the meter send its data to ${JSON.stringify(destination)}${more && `, with ${more}`}`;
    },
    direction: "none",
  }),
  "m-bus-install": operationKind({
    fields: { instance: logicalName, primaryAddress: whole(1, 250) },
    acts: ({ instance, primaryAddress }) => [
      exactAct("action", { classId: 72, instance, member: 1 }, octetsOf("unsigned", primaryAddress)),
    ],
    words: ({ primaryAddress }) => `install the M-Bus device in reach under address ${primaryAddress}`,
    direction: "none",
  }),
} as const;

/** The act that sets where and how a push goes. */
export function pushDestinationAct(of: {
  readonly instance: string;
  readonly transport: number;
  readonly destination: string;
  readonly message: number;
}): AllowedAct {
  const octets = encode(data, {
    type: "structure",
    value: [
      { type: "enum", value: of.transport },
      { type: "octet-string", value: new TextEncoder().encode(of.destination) },
      { type: "enum", value: of.message },
    ],
  });
  return exactAct("set", { classId: 40, instance: of.instance, member: 3 }, toHex(octets));
}

type NumberType = "unsigned" | "long-unsigned" | "double-long-unsigned";

function octetsOf(type: NumberType, value: number): string {
  return toHex(encode(data, { type, value }));
}

function given(
  values: readonly (readonly [member: number, type: NumberType, value: number | undefined])[],
): (readonly [number, string])[] {
  return values.flatMap(([member, type, value]) =>
    value === undefined ? [] : [[member, octetsOf(type, value)] as const],
  );
}

function listed(values: Readonly<Record<string, number | undefined>>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

/** How many entries a special days table has; undefined where the octets are none. */
function daysIn(octets: string): number | undefined {
  try {
    const read = decode(data, fromHex(octets));
    if (read.type !== "array") return undefined;
    const isDay = (day: (typeof read.value)[number]) => day.type === "structure" && day.value.length === 3;
    return read.value.every(isDay) ? read.value.length : undefined;
  } catch {
    return undefined;
  }
}

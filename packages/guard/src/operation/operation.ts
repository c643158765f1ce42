import { type Data, data, encode, fromHex, toHex } from "@meterkeep/dlms";
import {
  type Field,
  type FieldSet,
  kinds,
  listOf,
  type ObjectOf,
  object,
  oneOf,
  text,
  truth,
  whole,
} from "../canonical/field.ts";
import { dataIn } from "../data-in.ts";
import { type CommandClass, EFFECTS, type Effect, effectOf, effectOfCall, holdsSecret } from "../effect.ts";
import {
  type AllowedAct,
  allowedAct,
  dataValue,
  exactAct,
  logicalName,
  memberFields,
  targetOf,
} from "./allowed-act.ts";
import { scriptsOfDays, TARIFF_SCRIPTS } from "./calendar-scripts.ts";
import type { Direction } from "./direction.ts";
import { GRID_OPERATIONS } from "./grid-operations.ts";
import { type OperationKind, operationKind } from "./operation-kind.ts";
import { ownMomentFields } from "./own-moment.ts";
import { PARAMETER_OPERATIONS, pushDestinationAct } from "./parameter-operations.ts";

const INTEGER_0 = "0f00";
const IMAGE_ACTIVATION_SCHEDULER = "00000f0002ff";
const MEMBER_OF_THRESHOLD = { normal: 4, emergency: 5 } as const;
const writes = listOf(object({ ...memberFields, octets: dataValue }), 64);
const acts = listOf(allowedAct, 64);
const whichThreshold = oneOf(["normal", "emergency"]);
const numberType = oneOf(["unsigned", "long-unsigned", "double-long-unsigned", "double-long"]);

/** The operations that a manifest can name. What is not in it goes as `acts`, spelled out. */
export const OPERATIONS = {
  ...GRID_OPERATIONS,
  "control-mode": operationKind({
    fields: { instance: logicalName, mode: whole(0, 6) },
    acts: ({ instance, mode }) => [
      exactAct("set", { classId: 70, instance, member: 4 }, toHex(encode(data, { type: "enum", value: mode }))),
    ],
    words: ({ mode }) => `set the control mode of the disconnector to ${mode}`,
    direction: "off",
  }),
  "limiter-threshold": operationKind({
    fields: {
      instance: logicalName,
      which: whichThreshold,
      type: numberType,
      /** In the unit and scaler of what the limiter monitors. */
      threshold: whole(-0x8000_0000, 0xffff_ffff),
    },
    acts: ({ instance, which, type, threshold }) => [
      exactAct(
        "set",
        { classId: 71, instance, member: MEMBER_OF_THRESHOLD[which] },
        toHex(encode(data, { type, value: threshold })),
      ),
    ],
    words: ({ which, threshold }) =>
      `set the ${which} threshold of the limiter to ${threshold}, in the meter's own unit`,
    direction: "off",
  }),
  clock: operationKind({
    fields: { instance: logicalName, toleranceSeconds: whole(0, 3600) },
    acts: ({ instance, toleranceSeconds }) => [
      { service: "set", classId: 8, instance, member: 2, value: { kind: "time-now", toleranceSeconds } },
    ],
    words: ({ toleranceSeconds }) => `set the clock to the present time, within ${toleranceSeconds} s`,
    direction: "none",
  }),
  "clock-shift": operationKind({
    fields: { instance: logicalName, mostSeconds: whole(1, 900) },
    acts: ({ instance, mostSeconds }) => [
      { service: "action", classId: 8, instance, member: 6, value: { kind: "seconds-within", mostSeconds } },
    ],
    words: ({ mostSeconds }) => `shift the clock by ${mostSeconds} s at most`,
    direction: "none",
  }),
  calendar: operationKind({
    fields: {
      instance: logicalName,
      name: dataValue,
      seasons: dataValue,
      weeks: dataValue,
      days: dataValue,
      activate: truth,
    },
    acts: ({ instance, name, seasons, weeks, days, activate }) => [
      ...[name, seasons, weeks, days].map((octets, at) =>
        exactAct("set", { classId: 20, instance, member: 6 + at }, octets),
      ),
      ...(activate ? [exactAct("action", { classId: 20, instance, member: 1 }, INTEGER_0)] : []),
    ],
    words: ({ activate }) =>
      activate ? "set and activate a tariff calendar" : "set a tariff calendar, not active yet",
    // Its days run tariff scripts only, which is looked at below: it cannot switch.
    direction: "none",
    problem: ({ days }) => {
      const scripts = scriptsOfDays(fromHex(days));
      if (scripts === undefined) return "its days are no day profile table";
      const other = scripts.find((script) => script !== TARIFF_SCRIPTS);
      return other && `its days run script table ${other}, which is not the tariff's`;
    },
  }),
  "push-destination": operationKind({
    fields: {
      instance: logicalName,
      /** transport_service_type (Blue Book 4.4.8). */
      transport: whole(0, 255),
      destination: text(256),
      message: whole(0, 255),
    },
    acts: (parameters) => [pushDestinationAct(parameters)],
    words: ({ destination }) => `let the meter send its data to ${JSON.stringify(destination)}`,
    direction: "none",
  }),
  ...PARAMETER_OPERATIONS,
  "firmware-transfer": operationKind({
    fields: {
      instance: logicalName,
      /** The image's identifier, as text. */
      identifier: text(64),
      imageBytes: whole(1, 64 * 1024 * 1024),
      blockBytes: whole(16, 32_768),
      /** SHA-384 of the image, for people: the meter checks the maker's signature. */
      sha384: text(96),
    },
    acts: ({ instance, identifier, imageBytes, blockBytes }) => {
      const begin = encode(data, {
        type: "structure",
        value: [
          { type: "octet-string", value: new TextEncoder().encode(identifier) },
          { type: "double-long-unsigned", value: imageBytes },
        ],
      });
      const target = { classId: 18, instance } as const;
      const blocks = Math.ceil(imageBytes / blockBytes);
      return [
        exactAct("set", { ...target, member: 5 }, "0301"),
        exactAct("action", { ...target, member: 1 }, toHex(begin)),
        { service: "action", ...target, member: 2, value: { kind: "image-block", blocks } },
        exactAct("action", { ...target, member: 3 }, INTEGER_0),
      ];
    },
    words: ({ identifier, imageBytes }) => `transfer firmware ${JSON.stringify(identifier)} of ${imageBytes} octets`,
    direction: "none",
  }),
  "firmware-activation": operationKind({
    fields: { instance: logicalName, identifier: text(64), sha384: text(96) },
    acts: ({ instance }) => [exactAct("action", { classId: 18, instance, member: 4 }, INTEGER_0)],
    words: ({ identifier }) => `activate the firmware that was transferred, ${JSON.stringify(identifier)}`,
    direction: "none",
  }),
  "firmware-schedule": operationKind({
    fields: {
      /** The image activation scheduler. */
      instance: logicalName,
      identifier: text(64),
      sha384: text(96),
      ...ownMomentFields,
    },
    acts: ({ instance, windowMinutes, offsetMinutes }) => [
      { service: "set", classId: 22, instance, member: 4, value: { kind: "own-moment", windowMinutes, offsetMinutes } },
    ],
    words: ({ identifier, windowMinutes }) =>
      `let the firmware that was transferred, ${JSON.stringify(identifier)}, be activated by each meter at a moment of its own in ${windowMinutes} minutes`,
    direction: "none",
    // Another schedule of the class runs other scripts: that of the disconnector switches the supply.
    problem: ({ instance }) =>
      instance === IMAGE_ACTIVATION_SCHEDULER ? undefined : "it is not the image activation scheduler 0-0:15.0.2",
  }),
  configuration: operationKind({
    fields: { writes },
    acts: (parameters) => parameters.writes.map(({ octets, ...target }) => exactAct("set", target, octets)),
    words: ({ writes: { length } }) =>
      `write ${length} ${length === 1 ? "attribute" : "attributes"} of its configuration`,
    direction: "none",
    problem: (parameters) => {
      const grave = parameters.writes.find(
        ({ classId, instance, member }) =>
          EFFECTS[effectOf({ classId, instanceId: fromHex(instance), attribute: member }).effect].class !== "C1",
      );
      return grave && `class ${grave.classId} is more than configuration: name it as "acts"`;
    },
  }),
  acts: operationKind({
    fields: { acts },
    acts: (parameters) => parameters.acts,
    words: (parameters) => parameters.acts.map(actWords).join("; "),
    // Decided by what they are: see `directionOf`.
    direction: "off",
  }),
} as const;

export type OperationName = keyof typeof OPERATIONS;

/** An operation as a document: its kind and parameters. */
export const operation = kinds(
  Object.fromEntries(Object.entries(OPERATIONS).map(([name, { fields }]) => [name, fields])) as {
    readonly [K in OperationName]: (typeof OPERATIONS)[K]["fields"];
  },
) as Field<Operation>;
export type Operation = {
  [K in OperationName]: { readonly kind: K } & ObjectOf<(typeof OPERATIONS)[K]["fields"]>;
}[OperationName];

/** The acts that an operation allows on each of its targets, each once, one a request. */
export function actsOf(of: Operation): readonly AllowedAct[] {
  return kindOf(of).acts(of);
}

/** An operation in words, for people who approve it. */
export function operationWords(of: Operation): string {
  return kindOf(of).words(of);
}

/** What is wrong with an operation whose form is right: no token makes it possible. */
export function operationProblem(of: Operation): string | undefined {
  const problem = kindOf(of).problem?.(of);
  if (problem !== undefined) return problem;
  const key = actsOf(of).find((act) => effectOfAct(act) === "key");
  return key && `${actWords(key)}: keys and secrets are changed by the custodian itself, never by an APDU of others`;
}

/** The gravest class of its acts. */
export function classOf(of: Operation): CommandClass {
  return actsOf(of).reduce<CommandClass>((gravest, act) => {
    const one = EFFECTS[effectOfAct(act)].class;
    return one > gravest ? one : gravest;
  }, "C0");
}

/** What an operation does to the supply: everything that could switch something off, or is not known, does. */
export function directionOf(of: Operation): Direction {
  if (of.kind !== "acts") return OPERATIONS[of.kind].direction;
  const supply = of.acts.filter((act) => EFFECTS[effectOfAct(act)].class === "C3");
  if (supply.length === 0) return "none";
  return supply.every((act) => act.service === "action" && act.classId === 70 && act.member === 2) ? "on" : "off";
}

/** The effect of one allowed act, by the table that judges requests. */
export function effectOfAct(act: AllowedAct): Effect {
  if (act.service === "get") return holdsSecret(act.classId, act.member) ? "key" : "read";
  const target = targetOf(act);
  return "method" in target ? effectOfCall(target, mostOf(act.value)).effect : effectOf(target).effect;
}

/** The parameters that an act allows, at their most; undefined where they are not of a number. */
function mostOf(value: AllowedAct["value"]): Data | undefined {
  if (value.kind === "seconds-within") return { type: "long", value: value.mostSeconds };
  return value.kind === "exact" ? dataIn(value.octets) : undefined;
}

function kindOf(of: Operation): OperationKind<FieldSet> {
  // The table ties each kind to its parameters; TypeScript cannot follow it through a lookup.
  return OPERATIONS[of.kind] as unknown as OperationKind<FieldSet>;
}

function actWords(act: AllowedAct): string {
  const [a, b, c, d, e, f] = fromHex(act.instance);
  const what = act.service === "action" ? `method ${act.member}` : `attribute ${act.member}`;
  const verb = { get: "read", set: "write", action: "call" }[act.service];
  const octets = act.value.kind === "exact" ? act.value.octets || "nothing" : act.value.kind;
  return `${verb} ${what} of class ${act.classId} at ${a}-${b}:${c}.${d}.${e}.${f} with ${octets} (${EFFECTS[effectOfAct(act)].words})`;
}

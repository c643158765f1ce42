import { data, encode, fromHex, toHex } from "@meterkeep/dlms";
import {
  type FieldValue,
  hexOctets,
  listOf,
  matching,
  object,
  optional,
  shaped,
  text,
  Wrong,
  whole,
} from "@meterkeep/guard";
import { instanceOf, logicalName } from "../profile/object-name.ts";
import { previewed } from "./long-writes.ts";
import type { Finding, Operation, OperationSession, ReadBack } from "./operation.ts";
import { compare, compared, namesOf, settle, settled, spelledBy, type Wanted } from "./settle.ts";

const NUMBERS = {
  integer: [-128, 127],
  long: [-32_768, 32_767],
  "double-long": [-0x8000_0000, 0x7fff_ffff],
  unsigned: [0, 255],
  "long-unsigned": [0, 0xffff],
  "double-long-unsigned": [0, 0xffff_ffff],
  enum: [0, 255],
} as const;

/** A value of Data as people write it: `{"long-unsigned": 900}`, `{"boolean": true}`, `{"octets": "0a1b"}`, or encoded as hex. */
const value = shaped(readValue, {
  kind: "tagged",
  cases: [
    ...Object.entries(NUMBERS).map(([name, [min, max]]) => ({ name, of: { kind: "whole", min, max } as const })),
    { name: "boolean", of: { kind: "truth" } },
    { name: "octets", of: { kind: "pattern", pattern: "^(?:[0-9a-f]{2})*$", what: "octets as lower-case hex" } },
  ],
});

function readValue(written: unknown): string | Wrong {
  const encoded = hexOctets(1, 4096);
  if (typeof written === "string") return encoded(written);
  const [[type, of] = ["", undefined], ...more] = Object.entries((written ?? {}) as object) as [string, unknown][];
  if (more.length > 0) return new Wrong("not one value");
  const range = Object.hasOwn(NUMBERS, type) ? NUMBERS[type as keyof typeof NUMBERS] : undefined;
  if (range !== undefined) {
    const number = whole(range[0], range[1])(of);
    return number instanceof Wrong ? number : toHex(encode(data, { type: type as "enum", value: number }));
  }
  if (type === "boolean" && typeof of === "boolean") return toHex(encode(data, { type, value: of }));
  if (type !== "octets") return new Wrong(`not a value of Data: ${type}`);
  const octets = hexOctets(0, 4096)(of);
  return octets instanceof Wrong ? octets : toHex(encode(data, { type: "octet-string", value: fromHex(octets) }));
}

const item = object({
  /** For people. */
  name: text(64),
  classId: whole(0, 0xffff),
  object: matching(/^\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}$/, "a logical name such as 0-1:24.1.0"),
  attribute: whole(1, 127),
  value,
});
const items = listOf(item, 64);

/** The desired configuration of a group of meters, as a document. */
const parameters = object({
  /** What the document is called: the group of meters that it is for. */
  group: text(64),
  items,
});
export type Configuration = FieldValue<typeof parameters>;

const TOPIC = "configuration";
const EXAMPLE = {
  group: "gas hourly",
  items: [
    {
      name: "capture period",
      classId: 72,
      object: "0-1:24.1.0",
      attribute: 4,
      value: { "double-long-unsigned": 3600 },
    },
  ],
};

/** Writes what is not as the document of the group says, reads it all back, and remembers what the meter was given. */
export const configurationOperation: Operation<Configuration> = {
  name: "configuration",
  parameters,
  example: EXAMPLE,
  words: ({ group, items: { length } }) => `configure as ${JSON.stringify(group)} says (${length} attributes)`,
  command: ({ items: list }) => ({
    kind: "configuration",
    writes: list.map(({ classId, object: name, attribute, value: octets }) => ({
      classId,
      instance: instanceOf(name),
      member: attribute,
      octets,
    })),
  }),
  preview: async (on, of) => {
    const preview = await previewed(on, "The configuration", wanted(of));
    return { ...preview, findings: [...driftOf(of.group, preview.readBack), ...preview.findings] };
  },
  run: async (on, of) => {
    const facts = await settle(on, wanted(of));
    await on.memory.save(TOPIC, of);
    return settled("The configuration", facts);
  },
};

const drift = object({
  /** The document to compare with; without one, what the meter was given last. */
  configuration: optional(parameters),
});
type DriftParameters = FieldValue<typeof drift>;

/** Compares a meter with the document of its group, or with what it was given last. What differs is an alarm. */
export const configurationDriftOperation: Operation<DriftParameters> = {
  name: "configuration-drift",
  parameters: drift,
  example: {},
  words: () => "compare the configuration with what it should be",
  command: () => undefined,
  preview: async (on, of) => {
    const { facts, group } = await compareWith(on, of);
    return { ...compared("The configuration", facts), changes: false, findings: driftOf(group, facts) };
  },
  run: async (on, of) => {
    const { facts, group } = await compareWith(on, of);
    const wrong = facts.filter(({ holds }) => !holds);
    const sentence = wrong.length === 0 ? "The configuration is as it should be." : driftWords(group, wrong);
    return { outcome: "unchanged", sentence, readBack: facts, findings: driftOf(group, facts) };
  },
};

async function compareWith(on: OperationSession, { configuration }: DriftParameters) {
  const kept = configuration ?? ((await on.memory.load(TOPIC)) as Configuration | undefined);
  if (kept === undefined) return { facts: [], group: "" };
  return { facts: await compare(on, wanted(kept)), group: kept.group };
}

function driftOf(group: string, facts: readonly ReadBack[]): readonly Finding[] {
  const wrong = facts.filter(({ holds }) => !holds);
  if (wrong.length === 0) return [];
  return [{ code: "configuration-drift", severity: "alert", sentence: driftWords(group, wrong) }];
}

function driftWords(group: string, wrong: readonly ReadBack[]): string {
  return `The configuration is not as ${JSON.stringify(group)} says: ${namesOf(wrong)}.`;
}

function wanted({ items: list }: Configuration): readonly Wanted[] {
  return list.map(({ name, classId, object: obis, attribute, value: octets }) => ({
    name,
    classId,
    logicalName: logicalName(obis),
    attributeId: attribute,
    octets,
    spelled: spelledBy(data),
  }));
}

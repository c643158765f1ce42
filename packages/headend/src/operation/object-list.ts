import {
  AssociationLn,
  AssociationLnV0,
  AssociationLnV1,
  AssociationLnV2,
  type ObjectListElement,
  remote,
} from "@meterkeep/dlms";
import { object } from "@meterkeep/guard";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { logicalName } from "../profile/object-name.ts";
import type { Finding, Operation, OperationSession } from "./operation.ts";

const parameters = object({});
const VERSIONS = { 0: AssociationLnV0, 1: AssociationLnV1, 2: AssociationLnV2, 3: AssociationLn } as const;
const TRANSFORMER_LACKS: readonly string[] = [
  "disconnect control",
  "limiter",
  "load relay",
  "injection relay",
  "M-Bus client",
];

/** What a profile expects to find. */
interface ExpectedObject {
  readonly name: string;
  readonly classId: number;
  readonly logicalName: string;
}

/**
 * Asks a meter which objects it has and compares them with its profile: what the profile relies on and is not there, or is of
 * another class, is an alarm; what is there beside it is listed.
 */
export const objectListOperation: Operation<Record<string, never>> = {
  name: "object-list",
  parameters: parameters as Operation<Record<string, never>>["parameters"],
  example: {},
  words: () => "ask which objects it has",
  command: () => undefined,
  preview: async (on) => {
    const { outcome: _, ...found } = await discover(on);
    return { ...found, changes: false };
  },
  run: discover,
};

async function discover(on: OperationSession) {
  const { association } = on.profile;
  const name = logicalName(association.obis);
  on.begin();
  // The four versions spell access rights differently; class and logical name are the same in all.
  const declared = VERSIONS[association.version] as typeof AssociationLn;
  const list = await remote(on.session, declared, name).get("objectList");
  const evidence = on.evidence();
  const byName = new Map(list.map((each) => [each.logicalName as string, each]));
  const expected = expectedOf(on.profile).filter(
    ({ name: what }) => on.meter.role === "home" || !TRANSFORMER_LACKS.some((lacks) => what.startsWith(lacks)),
  );
  const wrong = expected.filter((each) => byName.get(each.logicalName)?.classId !== each.classId);
  const known = new Set(expected.map((each) => each.logicalName));
  const findings: Finding[] = wrong.map((each) => ({
    code: "object-model-differs",
    severity: "alert",
    sentence: differenceWords(each, byName.get(each.logicalName)),
  }));
  const sentence =
    wrong.length === 0
      ? `It has all ${expected.length} objects that its profile relies on, and ${list.length - expected.length} others.`
      : `It lacks ${wrong.length} of the ${expected.length} objects that its profile relies on.`;
  return {
    outcome: "unchanged" as const,
    sentence,
    readBack: [
      {
        name: "object list",
        object: `${name}/2`,
        found: `${list.length} objects`,
        holds: wrong.length === 0,
        evidence,
      },
    ],
    findings,
    data: {
      objects: list.map(({ classId, version, logicalName: code }) => ({ classId, version, logicalName: code })),
      missing: wrong,
      beyondProfile: list.map(({ logicalName: code }) => code).filter((code) => !known.has(code)),
    },
  };
}

function differenceWords({ name, logicalName: code, classId }: ExpectedObject, found?: ObjectListElement): string {
  if (found === undefined) return `It has no ${name} (${code}).`;
  return `Its ${name} (${code}) is of class ${found.classId}, not ${classId}.`;
}

function expectedOf(profile: MeterProfile): readonly ExpectedObject[] {
  const { firmware, mBus } = profile;
  const rows: readonly (readonly [name: string, classId: number, obis: string | undefined])[] = [
    ["clock", 8, profile.clock.obis],
    ["load profile", 7, profile.loadProfile.obis],
    ["daily profile", 7, profile.daily.obis],
    ["profile of power quality", 7, profile.powerQuality?.obis],
    ...profile.registers.map((obis) => ["register", 3, obis] as const),
    ...profile.eventLogs.map(({ name, obis }) => [`event log "${name}"`, 7, obis] as const),
    ...profile.pushSetups.map(({ name, obis }) => [`push setup "${name}"`, 40, obis] as const),
    ["firmware identifier", 1, firmware.identifier],
    ["firmware signature", 1, firmware.signature],
    ["image transfer", 18, profile.imageTransfer],
    ["activity calendar", 20, profile.activityCalendar],
    ["special days table", 11, profile.specialDays],
    ["disconnect control", 70, profile.disconnectControl],
    ["limiter", 71, profile.limiter?.obis],
    ...mBus.channels.map((obis) => ["M-Bus client", 72, obis] as const),
    ...mBus.values.map((obis) => ["value of an M-Bus device", 4, obis] as const),
    ...profile.loadRelays.map((obis) => ["load relay", 70, obis] as const),
    ["injection relay", 70, profile.injectionRelay],
  ];
  return rows.flatMap(([name, classId, obis]) =>
    obis === undefined ? [] : [{ name, classId, logicalName: logicalName(obis) }],
  );
}

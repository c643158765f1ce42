import { AssociationLn, DataClass, data, decode, type ListItem, PushSetup, Register } from "@meterkeep/dlms";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { logicalName, obisOf } from "../profile/object-name.ts";
import { RATIO_CODES } from "../profile/transformer-ratios.ts";
import type { EvidenceRecord } from "../reading/result.ts";
import { dataOf, numberOf } from "./meter-reader.ts";
import type { Question } from "./question.ts";

/** Where a push set-up points to. */
export interface PushDestinationRecord {
  readonly obis: string;
  readonly destination: string;
}

/** Structure of destination and transport, in every version of the class. */
const SEND_DESTINATION = PushSetup.attributes.sendDestinationAndMethod.index;

/** Push set-ups to ask for: those that the profile names, and what else the meter's own list has. */
export function pushSetUpsOf({ pushSetups }: Pick<MeterProfile, "pushSetups">, listed: readonly string[]): string[] {
  return [...new Set([...pushSetups.map(({ obis }) => obis), ...listed])];
}

/** Asks where each push set-up points to, as it writes it; those that the meter does not have are left out. */
export function destinationsQuestion(
  setUps: readonly string[],
  found: (destinations: readonly PushDestinationRecord[]) => void,
): Question {
  return {
    items: setUps.map((obis) => ({
      classId: PushSetup.id,
      logicalName: logicalName(obis),
      attributeId: SEND_DESTINATION,
    })),
    take: (answers) => found(answers.flatMap((answer, at) => destinationOf(answer, setUps[at] as string))),
  };
}

function destinationOf(answer: ListItem, obis: string): readonly PushDestinationRecord[] {
  const value = dataOf(answer);
  const destination = value?.type === "structure" ? value.value[1] : undefined;
  return destination?.type === "octet-string"
    ? [{ obis, destination: Buffer.from(destination.value).toString("latin1") }]
    : [];
}

/** What is looked for in a meter's own object list. */
export interface ListedObjects {
  /** Every object of class 40, whatever instance it is: a redirection through one that no profile names is seen by this alone. */
  readonly pushSetUps: readonly string[];
  /** Those that tell of instrument transformers, of class 1 or 3. */
  readonly ratios: readonly { readonly obis: string; readonly classId: number }[];
}

/** Asks for the list of the association. A meter that does not give its list is asked again. */
export function objectListQuestion(
  { association }: Pick<MeterProfile, "association">,
  found: (listed: ListedObjects) => void,
): Question {
  const { id: classId, attributes } = AssociationLn;
  return {
    items: [{ classId, logicalName: logicalName(association.obis), attributeId: attributes.objectList.index }],
    take([answer]) {
      if (answer?.kind !== "data") return;
      const list = decode(data, answer.value, { trailing: "ignore" });
      if (list.type !== "array") return;
      // Versions of the class spell access rights differently; class and name stand before them in all.
      const objects = list.value.flatMap((element) => {
        if (element.type !== "structure") return [];
        const [classOf, , name] = element.value;
        const objectClass = numberOf(classOf);
        const isNamed = name?.type === "octet-string" && name.value.length === 6;
        return isNamed && objectClass !== undefined ? [{ obis: obisOf(name.value), classId: objectClass }] : [];
      });
      found({
        pushSetUps: objects.filter((one) => one.classId === PushSetup.id).map(({ obis }) => obis),
        ratios: objects.filter(isRatio),
      });
    },
  };
}

function isRatio({ obis, classId }: ListedObjects["ratios"][number]): boolean {
  return RATIO_CODES.includes(obis) && (classId === DataClass.id || classId === Register.id);
}

/** Asks for what instrument transformers multiply and divide by; what is no number is left out. */
export function ratiosQuestion(
  ratios: ListedObjects["ratios"],
  found: (values: readonly { readonly obis: string; readonly value: number }[], evidence: EvidenceRecord) => void,
): Question {
  return {
    items: ratios.map(({ obis, classId }) => ({ classId, logicalName: logicalName(obis), attributeId: 2 })),
    take: (answers, evidence) =>
      found(
        answers.flatMap((answer, at) => {
          const value = numberOf(dataOf(answer));
          const obis = ratios[at]?.obis;
          return value === undefined || obis === undefined ? [] : [{ obis, value }];
        }),
        evidence,
      ),
  };
}

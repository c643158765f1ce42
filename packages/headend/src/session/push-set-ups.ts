import { AssociationLn, data, decode, type ListItem, PushSetup } from "@meterkeep/dlms";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { logicalName, obisOf } from "../profile/object-name.ts";
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

/**
 * Asks which push set-ups there are: every object of class 40 in the list of the association, whatever instance it is. A
 * redirection through one that no profile names is seen by this alone. A meter that does not give its list is asked again.
 */
export function pushSetUpListQuestion(
  { association }: Pick<MeterProfile, "association">,
  found: (obisCodes: readonly string[]) => void,
): Question {
  const { id: classId, attributes } = AssociationLn;
  return {
    items: [{ classId, logicalName: logicalName(association.obis), attributeId: attributes.objectList.index }],
    take([answer]) {
      if (answer?.kind !== "data") return;
      const list = decode(data, answer.value, { trailing: "ignore" });
      if (list.type !== "array") return;
      // Versions of the class spell access rights differently; class and name stand before them in all.
      found(
        list.value.flatMap((element) => {
          if (element.type !== "structure") return [];
          const [classOf, , name] = element.value;
          const isPushSetUp = numberOf(classOf) === PushSetup.id && name?.type === "octet-string";
          return isPushSetUp && name.value.length === 6 ? [obisOf(name.value)] : [];
        }),
      );
    },
  };
}

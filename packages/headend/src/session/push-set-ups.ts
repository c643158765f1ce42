import { type ListItem, PushSetup } from "@meterkeep/dlms";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { logicalName } from "../profile/object-name.ts";
import { dataOf } from "./meter-reader.ts";
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

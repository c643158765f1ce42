import { AssociationLn, DataClass, data, decode, PushSetup, Register } from "@meterkeep/dlms";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { logicalName, obisOf } from "../profile/object-name.ts";
import { RATIO_CODES } from "../profile/transformer-ratios.ts";
import { numberOf } from "./meter-reader.ts";
import type { Question } from "./question.ts";

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

import { logicalName } from "../profile/object-name.ts";
import type { EvidenceRecord } from "../reading/result.ts";
import { dataOf, numberOf } from "./meter-reader.ts";
import type { ListedObjects } from "./object-list.ts";
import type { Question } from "./question.ts";

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

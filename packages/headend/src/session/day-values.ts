import { data, decode, ProfileGeneric } from "@meterkeep/dlms";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { logicalName } from "../profile/object-name.ts";
import type { RegisterRecord } from "../reading/result.ts";
import { selectionOf, type Window } from "./event-reader.ts";
import { rowsOf } from "./meter-reader.ts";
import { readRows } from "./profile-rows.ts";
import type { Question } from "./question.ts";
import type { Scale } from "./scaler-table.ts";

const DAY_SECONDS = 86_400;

/**
 * Asks for the registers as they stood at the ends of the days in the window. A value that is known already is stored once; a meter
 * that does not give them has none. Answers are refused with HeadEndError `meter-answer-unusable` when the daily profile is
 * not as the companion profile says.
 */
export function dayValuesQuestion(
  { daily, loadProfile, timeZone }: Pick<MeterProfile, "daily" | "loadProfile" | "timeZone">,
  window: Window,
  scaleOf: (obis: string) => Scale,
  found: (values: readonly RegisterRecord[]) => void,
): Question {
  const { from, to } = window;
  const { id: classId, attributes } = ProfileGeneric;
  const selection = selectionOf({ loadProfile }, { from, to });
  return {
    items: [{ classId, logicalName: logicalName(daily.obis), attributeId: attributes.buffer.index, selection }],
    take([answer], evidence) {
      if (answer?.kind !== "data") return;
      const rows = rowsOf(decode(data, answer.value, { trailing: "ignore" }));
      const read = readRows(rows, { columns: daily.columns, periodSeconds: DAY_SECONDS }, timeZone, scaleOf, evidence);
      found(
        read
          .filter(({ at }) => at >= from && at <= to)
          .flatMap(({ intervals }) =>
            intervals.map(({ obis, value, unit, at }) => ({
              obis,
              value,
              unit: unit === "" ? undefined : unit,
              at,
              evidence,
            })),
          ),
      );
    },
  };
}

import {
  type DateTime,
  data,
  dateTimeAt,
  decode,
  entryDescriptor,
  type GetItem,
  type ListItem,
  ProfileGeneric,
  rangeDescriptor,
  type Session,
} from "@meterkeep/dlms";
import { eventFacts } from "../profile/event-codes.ts";
import type { EventLogFacts, MeterProfile } from "../profile/meter-profile.ts";
import { logicalName } from "../profile/object-name.ts";
import type { EventRecord, EvidenceRecord } from "../reading/result.ts";
import type { TimeZone } from "../time/time-zone.ts";
import { clockOf, numberOf, rowsOf } from "./meter-reader.ts";
import { type AnswerRecorder, ask, type Question } from "./question.ts";

/** From one moment to another at the source, both included: milliseconds since 1970 UTC. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** How the part of a profile that lies in the window is asked for: by time, or whole where the meter counts entries. */
export function selectionOf(
  { loadProfile }: Pick<MeterProfile, "loadProfile">,
  { from, to }: Window,
): NonNullable<GetItem["selection"]> {
  return loadProfile.access === "entry"
    ? entryDescriptor({ fromEntry: 1, toEntry: 0 })
    : rangeDescriptor({ from: wholeSecond(from), to: wholeSecond(to) });
}

/** A time of the source as ranges have it. */
export function wholeSecond(instant: number): DateTime {
  return dateTimeAt(Math.floor(instant / 1000) * 1000);
}

/**
 * Asks for event logs: for what they say of the window, or whole, whatever time their lines are of. A log that the meter does
 * not give is left out.
 */
export function eventsQuestion(
  profile: Pick<MeterProfile, "loadProfile" | "timeZone">,
  window: Window | "whole",
  logs: readonly EventLogFacts[],
  found: (events: readonly EventRecord[]) => void,
): Question {
  const { id: classId, attributes } = ProfileGeneric;
  const attributeId = attributes.buffer.index;
  const selected = window === "whole" ? {} : { selection: selectionOf(profile, window) };
  return {
    items: logs.map(({ obis }) => ({ classId, logicalName: logicalName(obis), attributeId, ...selected })),
    take: (answers, evidence) =>
      found(
        answers.flatMap((answer, at) =>
          eventsOf(answer, logs[at] as EventLogFacts, profile.timeZone, window, evidence),
        ),
      ),
  };
}

function eventsOf(
  answer: ListItem,
  { name, codes }: EventLogFacts,
  zone: TimeZone | undefined,
  window: Window | "whole",
  evidence: EvidenceRecord,
): readonly EventRecord[] {
  if (answer.kind !== "data") return [];
  return rowsOf(decode(data, answer.value, { trailing: "ignore" })).flatMap(([clock, code]): EventRecord[] => {
    const [moment, number] = [clockOf(clock, zone), numberOf(code)];
    // No code is a fraction or longer than a number holds, and one that is must not cost the rest of what the meter said.
    if (moment === undefined || number === undefined || !Number.isSafeInteger(number)) return [];
    if (window !== "whole" && (moment < window.from || moment > window.to)) return [];
    const { category, severity } = eventFacts(codes, number);
    return [{ log: name, code: number, category, severity, at: moment, evidence }];
  });
}

/** Reads event logs by themselves. */
export async function readEvents(
  session: Pick<Session, "getList">,
  profile: Pick<MeterProfile, "loadProfile" | "timeZone">,
  window: Window,
  recorder: AnswerRecorder,
  logs: readonly EventLogFacts[],
): Promise<readonly EventRecord[]> {
  let events: readonly EventRecord[] = [];
  const question = eventsQuestion(profile, window, logs, (found) => {
    events = found;
  });
  await ask(session, recorder, [question]);
  return events;
}

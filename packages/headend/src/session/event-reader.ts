import {
  type Data,
  type DateTime,
  data,
  dateTimeAt,
  decode,
  entryDescriptor,
  type GetItem,
  ProfileGeneric,
  rangeDescriptor,
  type Session,
} from "@meterkeep/dlms";
import { eventFacts } from "../profile/event-codes.ts";
import type { EventLogFacts, MeterProfile } from "../profile/meter-profile.ts";
import { logicalName } from "../profile/object-name.ts";
import type { EventRecord, EvidenceRecord } from "../reading/result.ts";
import { clockOf, numberOf } from "./meter-reader.ts";

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

/** Reads event logs, all in one request where the meter takes lists. A log that the meter does not give is left out. */
export async function readEvents(
  session: Pick<Session, "getList">,
  profile: MeterProfile,
  window: Window,
  recorder: { begin(): void; evidence(): EvidenceRecord },
  logs: readonly EventLogFacts[] = profile.eventLogs,
): Promise<readonly EventRecord[]> {
  const { id: classId, attributes } = ProfileGeneric;
  const selection = selectionOf(profile, window);
  recorder.begin();
  const answers = await session.getList(
    logs.map(({ obis }) => ({
      classId,
      logicalName: logicalName(obis),
      attributeId: attributes.buffer.index,
      selection,
    })),
  );
  const evidence = recorder.evidence();
  return answers.flatMap((answer, at) => {
    if (answer.kind !== "data") return [];
    const { name, codes } = logs[at] as EventLogFacts;
    return rowsOf(decode(data, answer.value, { trailing: "ignore" })).flatMap(([clock, code]): EventRecord[] => {
      const [moment, number] = [clockOf(clock), numberOf(code)];
      if (moment === undefined || number === undefined || moment < window.from || moment > window.to) return [];
      const { category, severity } = eventFacts(codes, number);
      return [{ log: name, code: number, category, severity, at: moment, evidence }];
    });
  });
}

/** The rows of a profile's buffer. */
export function rowsOf(buffer: Data): readonly (readonly Data[])[] {
  return buffer.type === "array"
    ? buffer.value.flatMap((row) => (row.type === "structure" ? [row.value as readonly Data[]] : []))
    : [];
}

import { COUNTERS_ACCEPTED, MARK_KINDS } from "../records/marks.ts";
import { newestEnrolment } from "./memory-enrolments.ts";
import type { Held } from "./memory-held.ts";
import { newestOfEach } from "./newest-marks.ts";
import type { AcceptedMark, CounterMark, MeterFile, SetupPlace, StateEntry, TakeoverMark } from "./records.ts";

/** Everything about a meter, put together from what is held; undefined where it is not in custody. */
export function fileOf(held: Held, systemTitle: string): MeterFile | undefined {
  const meter = held.meters.get(systemTitle);
  if (meter === undefined) return undefined;
  const own = <T extends SetupPlace>(records: Iterable<T>) =>
    [...records].filter((record) => record.systemTitle === systemTitle);
  const takeovers = own(held.takeovers.values()).sort((a, b) => b.takeover - a.takeover);
  return {
    meter,
    keys: own(held.keys.values()).sort((a, b) => a.setup - b.setup || a.purpose - b.purpose || a.version - b.version),
    takeovers: newest(takeovers.filter(({ subject }) => subject === undefined)),
    enrolments: newest(takeovers.filter(({ subject }) => subject !== undefined)),
    enrolment: newestEnrolment(held, systemTitle),
    rotations: newest(own(held.rotations.values()).sort((a, b) => b.rotation - a.rotation)),
    marks: Object.values(MARK_KINDS).flatMap((kind) => marksOf<TakeoverMark>(held, kind, systemTitle)),
    windows: own(held.windows.values()),
    accepted: newestOfEach(
      held.ledger
        .filter(({ kind, meter: title }) => kind === COUNTERS_ACCEPTED && title === systemTitle)
        .map(({ body, at }) => ({ ...(JSON.parse(body) as Omit<AcceptedMark, "at">), at }))
        .reverse(),
    ),
    history: held.ledger.flatMap(({ kind, meter, body }): StateEntry[] =>
      meter === systemTitle &&
      (kind === "key-states-changed" || kind === "meter-departed" || kind === "meter-readmitted")
        ? [{ kind, body: JSON.parse(body) }]
        : [],
    ),
  };
}

/** What the ledger says last of each setup of a meter. */
export function marksOf<T extends CounterMark | TakeoverMark>(
  held: Held,
  kind: T extends TakeoverMark ? (typeof MARK_KINDS)[keyof typeof MARK_KINDS] : "counters-reserved",
  systemTitle: string,
): T[] {
  const marks = held.ledger
    .filter((entry) => entry.kind === kind && entry.meter === systemTitle)
    .map(({ body }) => JSON.parse(body) as T);
  return [...new Map(marks.map((mark) => [mark.setup, mark])).values()];
}

/** The first of each setup. */
function newest<T extends SetupPlace>(records: readonly T[]): T[] {
  return records.filter(({ setup }, at) => records.findIndex((other) => other.setup === setup) === at);
}

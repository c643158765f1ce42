import {
  type Data,
  data,
  dateTimeAt,
  decode,
  type GetItem,
  ProfileGeneric,
  type ProfileRow,
  readProfileEntries,
  readProfileRange,
  remote,
} from "@meterkeep/dlms";
import { type FieldValue, listOf, object, optional, shaped, text, Wrong, whole } from "@meterkeep/guard";
import { eventFacts } from "../profile/event-codes.ts";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { logicalName } from "../profile/object-name.ts";
import type { EvidenceRecord, IntervalRecord, QualityRecord } from "../reading/result.ts";
import { counted } from "../reading/words.ts";
import { readEvents, type Window } from "../session/event-reader.ts";
import { clockOf } from "../session/meter-reader.ts";
import { readRows } from "../session/profile-rows.ts";
import { readQuality } from "../session/quality-reader.ts";
import { snapshotByClock, storedRead } from "./clock-seen.ts";
import { offered } from "./not-offered.ts";
import type { Operation, OperationResult, OperationSession } from "./operation.ts";
import { obis, reading } from "./reading.ts";
import { plainOf, shown } from "./shown.ts";

const attribute = object({ classId: whole(1, 0xffff), object: obis, attribute: whole(1, 127) });
const attributes = listOf(attribute, 64);
const attributeParameters = object({ attributes });
type AttributeParameters = FieldValue<typeof attributeParameters>;

/** Reads attributes on demand, whatever they are. Those that hold secrets the custodian does not ask for. */
export const attributesOperation: Operation<AttributeParameters> = reading({
  name: "attributes",
  parameters: attributeParameters,
  example: { attributes: [{ classId: 3, object: "1-0:1.8.0", attribute: 2 }] },
  words: ({ attributes: { length } }) => `read ${length} ${length === 1 ? "attribute" : "attributes"}`,
  run: async (on, { attributes: list }) => {
    const items = list.map(
      ({ classId, object: code, attribute: attributeId }): GetItem => ({
        classId,
        logicalName: logicalName(code),
        attributeId,
      }),
    );
    on.begin();
    const answers = await on.session.getList(items);
    const evidence = on.evidence();
    const facts = answers.map((answer, at) => {
      const { logicalName: name, attributeId } = items[at] as GetItem;
      const isData = answer.kind === "data";
      return {
        name: list[at]?.object ?? name,
        object: `${name}/${attributeId}`,
        found: isData ? shown(answer.value) : `refused: ${answer.reason}`,
        holds: isData,
        evidence,
      };
    });
    const read = facts.filter(({ holds }) => holds).length;
    return {
      outcome: read === facts.length ? "unchanged" : "not-taken",
      sentence: `${read} of ${facts.length} attributes were read.`,
      readBack: facts,
      findings: [],
      data: answers.map((answer) =>
        answer.kind === "data" ? plainOf(decode(data, answer.value, { trailing: "ignore" })) : null,
      ),
    };
  },
});

/** A moment at the source, in RFC 3339: `2026-11-21T12:00:00Z`. */
const moment = shaped(
  (value: unknown): number | Wrong => {
    const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
    return Number.isNaN(at) ? new Wrong("not a time such as 2026-11-21T12:00:00Z") : at;
  },
  { kind: "time", as: "text" },
);
const stretch = {
  /** From then on, up to then. */
  from: moment,
  to: moment,
} as const;
const profileName = text(32);
const profileParameters = object({
  /** `load`, `daily`, or `power-quality`. */
  profile: profileName,
  ...stretch,
});
type ProfileParameters = FieldValue<typeof profileParameters>;

/** Reads a stretch of a profile on demand: load, daily values, power quality. */
export const profileOperation: Operation<ProfileParameters> = reading({
  name: "profile",
  parameters: profileParameters,
  example: { profile: "power-quality", from: "2026-01-01T00:00:00Z", to: "2026-12-31T00:00:00Z" },
  words: ({ profile, from, to }) =>
    `read profile "${profile}" from ${new Date(from).toISOString()} to ${new Date(to).toISOString()}`,
  run: async (on, { profile: name, ...window }) => {
    if (name === "power-quality") return qualityResult(on, window);
    const { loadProfile, daily } = on.profile;
    const found = offered({ load: loadProfile.obis, daily: daily.obis }[name], `profile "${name}"`, on.profile);
    const { rows, columns, evidence } = await rowsOf(on, found, window);
    const read = { columns, rows: rows.map((row) => row.map(plainOf)) };
    const result = resultOf(`${rows.length} rows of profile "${name}" were read.`, found, rows.length, evidence, read);
    if (name !== "load") return result;
    const stored = { intervals: await intervalsOf(on, rows, evidence), periodSeconds: loadProfile.periodSeconds };
    return { ...result, read: storedRead(await snapshotByClock(on, []), stored) };
  },
});

/** What goes to the readings of a load profile: as a reading session would have stored it. */
async function intervalsOf(
  on: OperationSession,
  rows: readonly ProfileRow[],
  evidence: EvidenceRecord,
): Promise<readonly IntervalRecord[]> {
  const { loadProfile, timeZone } = on.profile;
  const { columns } = loadProfile;
  await on.reader.learnScales(columns.flatMap((column) => (typeof column === "string" ? [] : [column.obis])));
  return readRows(rows, loadProfile, timeZone, (code) => on.reader.scale(code), evidence).flatMap(
    ({ intervals }) => intervals,
  );
}

async function qualityResult(on: OperationSession, window: Window): Promise<OperationResult> {
  const facts = offered(on.profile.powerQuality, "profile of power quality", on.profile);
  let evidence: EvidenceRecord | undefined;
  const recorder = {
    begin: () => on.begin(),
    evidence: () => {
      evidence = on.evidence();
      return evidence;
    },
  };
  const quality: QualityRecord[] = [];
  const { session, reader, profile } = on;
  await readQuality({ session, reader, profile, recorder }, facts, [window], (rows) => quality.push(...rows));
  const rows = quality.map(({ at, values }) => ({
    at: new Date(at).toISOString(),
    values: values.map(({ obis: channel, unit, value }) => ({ obis: channel, unit, value })),
  }));
  const result = resultOf(
    `${rows.length} rows of power quality were read.`,
    facts.obis,
    rows.length,
    evidence ?? on.evidence(),
    { rows },
  );
  return { ...result, read: { quality } };
}

const eventParameters = object({
  /** All logs unless one is named. */
  log: optional(text(32)),
  ...stretch,
});
type EventParameters = FieldValue<typeof eventParameters>;

/** Reads event logs, each event with its words. */
export const eventsOperation: Operation<EventParameters> = reading({
  name: "events",
  parameters: eventParameters,
  example: { from: "2026-01-01T00:00:00Z", to: "2026-12-31T00:00:00Z" },
  words: ({ log }) => `read ${log === undefined ? "the event logs" : `event log "${log}"`}`,
  run: async (on, { log, ...window }) => {
    const logs = on.profile.eventLogs.filter(({ name }) => log === undefined || name === log);
    offered(logs[0], log === undefined ? "event log" : `event log "${log}"`, on.profile);
    const events = await readEvents(on.session, on.profile, window, on, logs);
    const words = new Map(logs.map(({ name, codes }) => [name, codes]));
    const facts = logs.map(({ name, obis: code }) => ({
      name: `event log "${name}"`,
      object: `${logicalName(code)}/2`,
      found: counted(events.filter((event) => event.log === name).length, "event"),
      holds: true,
      evidence: on.evidence(),
    }));
    return {
      outcome: "unchanged",
      sentence: `${counted(events.length, "event")} of ${counted(logs.length, "log")} were read.`,
      readBack: facts,
      findings: [],
      data: events.map(({ log: name, code, category, severity, at }) => ({
        log: name,
        at: new Date(at).toISOString(),
        code,
        words: eventFacts(words.get(name) ?? {}, code).words,
        category,
        severity,
      })),
      read: { events },
    };
  },
});

/** Rows of a profile whose clock is within the window, whichever way the meter lets a part be asked for. */
async function rowsOf(on: OperationSession, code: string, { from, to }: Window) {
  const name = logicalName(code);
  on.begin();
  const columns = (await remote(on.session, ProfileGeneric, name).get("captureObjects")).map(
    ({ classId, logicalName: captured, attributeIndex }) => `${classId} ${captured}/${attributeIndex}`,
  );
  const rows =
    on.profile.loadProfile.access === "range"
      ? await readProfileRange(on.session, name, { from: dateTimeAt(from), to: dateTimeAt(to) })
      : (await readProfileEntries(on.session, name, { fromEntry: 1, toEntry: 0 })).filter((row) =>
          isWithin(on.profile, row, from, to),
        );
  return { rows, columns, evidence: on.evidence() };
}

function isWithin({ timeZone }: MeterProfile, [clock]: ProfileRow, from: number, to: number): boolean {
  const at = clockOf(clock as Data | undefined, timeZone);
  return at === undefined || (at >= from && at <= to);
}

function resultOf(
  sentence: string,
  code: string,
  rows: number,
  evidence: EvidenceRecord,
  read: unknown,
): OperationResult {
  const fact = { name: code, object: `${logicalName(code)}/2`, found: `${rows} rows`, holds: true, evidence };
  return { outcome: "unchanged", sentence, readBack: [fact], findings: [], data: read };
}

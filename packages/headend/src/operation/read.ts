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
import { type FieldValue, instant, listOf, matching, object, optional, text, whole } from "@meterkeep/guard";
import { logicalName } from "../profile/object-name.ts";
import { clockOf, numberOf } from "../session/meter-reader.ts";
import { offered } from "./not-offered.ts";
import type { Operation, OperationResult, OperationSession } from "./operation.ts";
import { plainOf, shown } from "./shown.ts";

const obis = matching(/^\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}$/, "a code such as 1-0:1.8.0");

/** An operation that only reads: its dry run would be itself, and says what would be read. */
function reading<P>(of: Pick<Operation<P>, "name" | "parameters" | "words" | "run">): Operation<P> {
  return {
    ...of,
    command: () => undefined,
    preview: async (_, parameters) => ({
      changes: false,
      sentence: `It would ${of.words(parameters)}.`,
      readBack: [],
      findings: [],
    }),
  };
}

const attribute = object({ classId: whole(1, 0xffff), object: obis, attribute: whole(1, 127) });
const attributes = listOf(attribute, 64);
const attributeParameters = object({ attributes });
type AttributeParameters = FieldValue<typeof attributeParameters>;

/** Reads attributes on demand, whatever they are. Those that hold secrets the custodian does not ask for. */
export const attributesOperation: Operation<AttributeParameters> = reading({
  name: "attributes",
  parameters: attributeParameters,
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

const stretch = {
  /** From then on, up to then: milliseconds since 1970 UTC, at the source. */
  from: instant,
  to: instant,
} as const;
const profileName = text(32);
const profileParameters = object({
  /** `load`, or a further profile of the meter profile, such as `daily`. */
  profile: profileName,
  ...stretch,
});
type ProfileParameters = FieldValue<typeof profileParameters>;

/** Reads a stretch of a profile on demand: load, daily values, power quality. */
export const profileOperation: Operation<ProfileParameters> = reading({
  name: "profile",
  parameters: profileParameters,
  words: ({ profile, from, to }) =>
    `read profile "${profile}" from ${new Date(from).toISOString()} to ${new Date(to).toISOString()}`,
  run: async (on, { profile: name, ...window }) => {
    const code = name === "load" ? on.profile.loadProfile.obis : on.profile.profiles[name];
    const found = offered(code, `profile "${name}"`, on.profile);
    const { rows, columns, evidence } = await rowsOf(on, found, window);
    return resultOf(`${rows.length} rows of profile "${name}" were read.`, found, rows.length, evidence, {
      columns,
      rows: rows.map((row) => row.map(plainOf)),
    });
  },
});

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
  words: ({ log }) => `read ${log === undefined ? "the event logs" : `event log "${log}"`}`,
  run: async (on, { log, ...window }) => {
    const logs = on.profile.eventLogs.filter(({ name }) => log === undefined || name === log);
    offered(logs[0], log === undefined ? "event log" : `event log "${log}"`, on.profile);
    const results: OperationResult[] = [];
    const events: unknown[] = [];
    for (const { name, obis: code, words } of logs) {
      const { rows, evidence } = await rowsOf(on, code, window);
      for (const [clock, number] of rows) {
        const at = clockOf(clock);
        const event = numberOf(number);
        if (at === undefined || event === undefined) continue;
        events.push({
          log: name,
          at: new Date(at).toISOString(),
          code: event,
          words: words[event] ?? `event ${event}`,
        });
      }
      results.push(resultOf("", code, rows.length, evidence, undefined));
    }
    return {
      outcome: "unchanged",
      sentence: `${events.length} events of ${logs.length} logs were read.`,
      readBack: results.flatMap(({ readBack }) => readBack),
      findings: [],
      data: events,
    };
  },
});

/** Rows of a profile whose clock is within the window, whichever way the meter lets a part be asked for. */
async function rowsOf(
  on: OperationSession,
  code: string,
  { from, to }: { readonly from: number; readonly to: number },
) {
  const name = logicalName(code);
  on.begin();
  const columns = (await remote(on.session, ProfileGeneric, name).get("captureObjects")).map(
    ({ classId, logicalName: captured, attributeIndex }) => `${classId} ${captured}/${attributeIndex}`,
  );
  const rows =
    on.profile.loadProfile.access === "range"
      ? await readProfileRange(on.session, name, { from: dateTimeAt(from), to: dateTimeAt(to) })
      : (await readProfileEntries(on.session, name, { fromEntry: 1, toEntry: 0 })).filter((row) =>
          isWithin(row, from, to),
        );
  return { rows, columns, evidence: on.evidence() };
}

function isWithin([clock]: ProfileRow, from: number, to: number): boolean {
  const at = clockOf(clock as Data | undefined);
  return at === undefined || (at >= from && at <= to);
}

function resultOf(
  sentence: string,
  code: string,
  rows: number,
  evidence: OperationResult["readBack"][number]["evidence"],
  read: unknown,
): OperationResult {
  const fact = { name: code, object: `${logicalName(code)}/2`, found: `${rows} rows`, holds: true, evidence };
  return { outcome: "unchanged", sentence, readBack: [fact], findings: [], data: read };
}

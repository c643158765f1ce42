import { decode } from "../codec/codec.ts";
import { ProfileGeneric } from "../cosem/classes/profile-generic.ts";
import { d } from "../data/d.ts";
import { instantOf } from "../data/date-time.ts";
import { ProfileDecoder, type ProfileDecoderOptions, type ProfileRowView } from "../data/profile-decoder.ts";
import { DlmsError } from "../errors.ts";
import { entryDescriptor, type ProfileRange, rangeDescriptor } from "./profile-reader.ts";
import type { Session } from "./session.ts";
import { SessionError } from "./session-error.ts";

/** Ways to read a part of a profile, from the shortest answer to the longest. */
export const PROFILE_METHODS = ["range", "entry", "whole"] as const;
export type ProfileMethod = (typeof PROFILE_METHODS)[number];

export interface ProfileStreamOptions extends ProfileDecoderOptions {
  /** What to try, in order; all of `PROFILE_METHODS` unless given. Give what worked the last time. */
  readonly methods?: readonly ProfileMethod[];
}

type ProfileSession = Pick<Session, "get" | "getStream">;

const { id: classId, attributes } = ProfileGeneric;
const BUFFER = attributes.buffer.index;
/** What servers say when they do not know a selection; everything else would meet the next way as well. */
const UNKNOWN_SELECTION: ReadonlySet<string> = new Set([
  "scope-of-access-violated",
  "type-unmatched",
  "object-unavailable",
  "read-write-denied",
  "other-reason",
]);

/**
 * Reads the rows from one moment to another, row by row as their blocks come, and says which way it went.
 *
 * By range where the meter can do it; else by entry, having looked for the first and the last one; else all of it,
 * passing over what lies outside. A way is left only for an answer that refuses the selection, before any row was given.
 *
 * @throws SessionError; DecodeError when the buffer is none
 */
export async function streamProfileRange(
  session: ProfileSession,
  logicalName: string,
  range: ProfileRange,
  onRow: (row: ProfileRowView) => void,
  options: ProfileStreamOptions = {},
): Promise<ProfileMethod> {
  const { methods = PROFILE_METHODS } = options;
  let refusal: unknown = new SessionError(
    "data-access-refused",
    `${logicalName}: no way to read the profile was given`,
  );
  for (const method of methods) {
    try {
      await READERS[method]({ session, logicalName, range, onRow, options });
      return method;
    } catch (error) {
      if (!isUnknownSelection(error)) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

interface Reading {
  readonly session: ProfileSession;
  readonly logicalName: string;
  readonly range: ProfileRange;
  readonly onRow: (row: ProfileRowView) => void;
  readonly options: ProfileStreamOptions;
}

const READERS: Readonly<Record<ProfileMethod, (reading: Reading) => Promise<void>>> = {
  range: ({ session, logicalName, range, onRow, options }) =>
    pour(session, logicalName, rangeDescriptor(range), onRow, options),
  entry: byEntry,
  whole: ({ session, logicalName, range, onRow, options }) => {
    const { from, to } = limitsOf(range);
    const within = (row: ProfileRowView) => {
      const instant = clockOf(row);
      if (instant >= from && instant <= to) onRow(row);
    };
    return pour(session, logicalName, undefined, within, options);
  },
};

async function byEntry({ session, logicalName, range, onRow, options }: Reading): Promise<void> {
  if (range.columns !== undefined && range.columns.length > 0)
    throw notPossible("columns are selected by number there");
  const count = decode(
    d.doubleLongUnsigned,
    await session.get({ classId, logicalName, attributeId: attributes.entriesInUse.index }),
    { trailing: "ignore" },
  );
  const { from, to } = limitsOf(range);
  const instantOfEntry = async (entry: number): Promise<number> => {
    let instant = Number.NaN;
    const selection = entryDescriptor({ fromEntry: entry, toEntry: entry });
    await pour(session, logicalName, selection, (row) => (instant = clockOf(row)), options);
    if (Number.isNaN(instant)) throw notPossible("its rows do not say when they were captured");
    return instant;
  };
  const first = await lowest(count, async (entry) => (await instantOfEntry(entry)) >= from);
  const beyond = await lowest(count, async (entry) => (await instantOfEntry(entry)) > to);
  if (first >= beyond) return;
  await pour(session, logicalName, entryDescriptor({ fromEntry: first, toEntry: beyond - 1 }), onRow, options);
}

/** The lowest entry from 1 to `count` for which `holds`, which then holds for all above; `count + 1` for none. */
async function lowest(count: number, holds: (entry: number) => Promise<boolean>): Promise<number> {
  let low = 1;
  let high = count + 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (await holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

async function pour(
  session: ProfileSession,
  logicalName: string,
  selection: ReturnType<typeof rangeDescriptor> | undefined,
  onRow: (row: ProfileRowView) => void,
  options: ProfileDecoderOptions,
): Promise<void> {
  const decoder = new ProfileDecoder(onRow, options);
  for await (const octets of session.getStream({ classId, logicalName, attributeId: BUFFER }, selection))
    decoder.push(octets);
  decoder.end();
}

function limitsOf({ from, to }: ProfileRange): { readonly from: number; readonly to: number } {
  return {
    from: instantOf(from, 0) ?? Number.NEGATIVE_INFINITY,
    to: instantOf(to, 0) ?? Number.POSITIVE_INFINITY,
  };
}

/** The instant of a row: its first clock. */
function clockOf(row: ProfileRowView): number {
  for (let column = 0; column < row.columns; column += 1) {
    const instant = row.instant(column);
    if (!Number.isNaN(instant)) return instant;
  }
  return Number.NaN;
}

function notPossible(why: string): SessionError {
  return new SessionError("data-access-refused", `the profile cannot be read by entry: ${why}`, {
    reason: "other-reason",
  });
}

function isUnknownSelection(error: unknown): boolean {
  if (!(error instanceof DlmsError)) return false;
  if (error.code === "exception-response" || error.code === "service-error") return true;
  return (
    error instanceof SessionError && error.code === "data-access-refused" && UNKNOWN_SELECTION.has(error.reason ?? "")
  );
}

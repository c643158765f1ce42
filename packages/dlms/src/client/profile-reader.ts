import { decode, encode } from "../codec/codec.ts";
import type { AttributeSelection } from "../cosem/class-declaration.ts";
import { ProfileGeneric } from "../cosem/classes/profile-generic.ts";
import { type SelectiveAccessDescriptor, selectionToDescriptor } from "../cosem/selective-access.ts";
import type { CaptureObject } from "../cosem/structures.ts";
import { type DateTime, dateTimeOctets } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import { DecodeError } from "../errors.ts";
import type { Session } from "./session.ts";

/** The clock's time: what ranges of a load profile are restricted by. */
export const CLOCK_COLUMN: CaptureObject = {
  classId: 8,
  logicalName: "0.0.1.0.0.255",
  attributeIndex: 2,
  dataIndex: 0,
};

type BufferSelection = AttributeSelection<typeof ProfileGeneric.attributes.buffer>;
/** A row of a profile, a value a column. */
export type ProfileRow = readonly Data[];

/** The rows from one moment to another, both included. */
export interface ProfileRange {
  readonly from: DateTime;
  readonly to: DateTime;
  /** Columns wanted; all unless given. */
  readonly columns?: readonly CaptureObject[];
  /** The column that the range is about; the clock unless given. */
  readonly restrictingObject?: CaptureObject;
}

/** Rows and columns by number from 1; 0 for `to…` is the last one. */
export interface ProfileEntries {
  readonly fromEntry: number;
  readonly toEntry: number;
  readonly fromColumn?: number;
  readonly toColumn?: number;
}

const { id: classId, attributes } = ProfileGeneric;
const { codec: bufferCodec, selection: selectors, index: attributeId } = attributes.buffer;

/** Reads the rows of a profile in a range of time. @throws SessionError; DecodeError when the buffer is none. */
export function readProfileRange(
  session: Pick<Session, "get">,
  logicalName: string,
  range: ProfileRange,
): Promise<readonly ProfileRow[]> {
  return readRows(session, logicalName, rangeDescriptor(range));
}

/** Reads rows of a profile by number. @throws as `readProfileRange` */
export function readProfileEntries(
  session: Pick<Session, "get">,
  logicalName: string,
  entries: ProfileEntries,
): Promise<readonly ProfileRow[]> {
  return readRows(session, logicalName, entryDescriptor(entries));
}

/** The selection of a range of time, as it travels. */
export function rangeDescriptor(range: ProfileRange): SelectiveAccessDescriptor {
  return descriptorOf({
    kind: "range",
    value: {
      restrictingObject: range.restrictingObject ?? CLOCK_COLUMN,
      fromValue: dateTimeData(range.from),
      toValue: dateTimeData(range.to),
      selectedValues: range.columns ?? [],
    },
  });
}

/** The selection of rows and columns by number, as it travels. */
export function entryDescriptor(entries: ProfileEntries): SelectiveAccessDescriptor {
  return descriptorOf({
    kind: "entry",
    value: {
      fromEntry: entries.fromEntry,
      toEntry: entries.toEntry,
      fromSelectedValue: entries.fromColumn ?? 1,
      toSelectedValue: entries.toColumn ?? 0,
    },
  });
}

function descriptorOf(selection: BufferSelection): SelectiveAccessDescriptor {
  return selectionToDescriptor(selectors, selection);
}

/** Reads all rows of a profile. @throws as `readProfileRange` */
export function readProfile(session: Pick<Session, "get">, logicalName: string): Promise<readonly ProfileRow[]> {
  return readRows(session, logicalName, undefined);
}

async function readRows(
  session: Pick<Session, "get">,
  logicalName: string,
  descriptor: SelectiveAccessDescriptor | undefined,
): Promise<readonly ProfileRow[]> {
  const octets = await session.get({ classId, logicalName, attributeId }, descriptor);
  return decode(bufferCodec, octets, { trailing: "ignore" }).map((row, at) => {
    if (row.type !== "structure") throw new DecodeError("wrong-type", 0, `${row.type} where a row belongs`).within(at);
    return row.value;
  });
}

function dateTimeData(value: DateTime): Data {
  return { type: "octet-string", value: encode(dateTimeOctets, value) };
}

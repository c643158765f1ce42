import {
  type Data,
  data,
  decode,
  type GetItem,
  INTERFACE_CLASSES,
  logicalNameText,
  numberOf,
  obisInWords,
  parseObis,
  plainValue,
  type ReadingValue,
  readDateTime,
  type Session,
  type ShortNameSession,
  scaled,
  timeText,
  unitSymbol,
} from "@meterkeep/dlms";
import { type ListedObject, readObjectList } from "../access/object-list.ts";
import { newestRows, type Scale } from "./newest-rows.ts";

/** One object that the meter shows to this client. */
export interface HeldObject {
  readonly classId: number;
  readonly version: number;
  readonly obis: string;
  /** The name of the interface class; null for one that is not known. */
  readonly class: string | null;
  /** What the OBIS code says. */
  readonly name: string;
}

/** A value, in its unit. */
export interface HeldReading {
  readonly obis: string;
  readonly name: string;
  readonly value: ReadingValue;
  readonly unit: string | null;
  /** When the value was captured, where the object says so. */
  readonly time: string | null;
}

/** A load profile, event log or other buffer. */
export interface HeldProfile {
  readonly obis: string;
  readonly name: string;
  readonly columns: readonly HeldColumn[];
  readonly capturePeriodSeconds: number | null;
  readonly entries: number | null;
  /** The newest rows, as far as they were asked for: a value a column. */
  readonly rows: readonly (readonly ReadingValue[])[];
}

/** A column of a profile. */
export interface HeldColumn {
  readonly obis: string;
  readonly attribute: number;
  readonly name: string;
  readonly unit: string | null;
}

/** What could not be read, and the meter's word for it. */
export interface Unread {
  readonly obis: string;
  readonly attribute: number;
  readonly reason: string;
}

/** What a meter holds, as one client sees it. */
export interface Holdings {
  readonly deviceName: string | null;
  readonly objects: readonly HeldObject[];
  readonly readings: readonly HeldReading[];
  readonly profiles: readonly HeldProfile[];
  readonly unread: readonly Unread[];
}

const [DATA, REGISTER, EXTENDED_REGISTER, DEMAND_REGISTER, PROFILE, CLOCK] = [1, 3, 4, 5, 7, 8];
const DEVICE_NAME = "0.0.42.0.0.255";

/** Which attributes of a class make its reading, by name. */
const READ_OF: Readonly<Record<number, { readonly value: number; readonly scaler?: number; readonly time?: number }>> =
  {
    [DATA!]: { value: 2 },
    [REGISTER!]: { value: 2, scaler: 3 },
    [EXTENDED_REGISTER!]: { value: 2, scaler: 3, time: 5 },
    [DEMAND_REGISTER!]: { value: 2, scaler: 4, time: 6 },
    [CLOCK!]: { value: 2 },
  };
const PROFILE_ATTRIBUTES = { columns: 3, capturePeriod: 4, entries: 7 } as const;

/**
 * Finds out what the meter holds, and reads what is one value, and of each profile so many of its newest rows. Refusals
 * are told, and end nothing.
 */
export async function discover(session: Session | ShortNameSession, rows = 0): Promise<Holdings> {
  const listed = await readObjectList(session);
  const values = await readAll(session, listed.flatMap(itemsOf));
  const unread = [...values.unread];
  const readings = listed.flatMap((object) => readingOf(object, values) ?? []);
  const profiles: HeldProfile[] = [];
  for (const object of listed.filter(({ classId }) => classId === PROFILE)) {
    const profile = profileOf(object, values);
    const found = await newestRows(
      session,
      object.logicalName,
      profile,
      (at) => scaleOfColumn(profile, at, values),
      rows,
    );
    profiles.push({ ...profile, rows: found.rows });
    if (found.refused !== undefined) unread.push({ obis: profile.obis, attribute: 2, reason: found.refused });
  }
  return {
    deviceName: textIn(values.read(DEVICE_NAME, READ_OF[DATA!]!.value)),
    objects: listed.map(describe),
    readings,
    profiles,
    unread,
  };
}

function itemsOf({ classId, logicalName }: ListedObject): GetItem[] {
  const wanted = classId === PROFILE ? Object.values(PROFILE_ATTRIBUTES) : Object.values(READ_OF[classId] ?? {});
  return wanted.map((attributeId: number) => ({ classId, logicalName, attributeId }));
}

/** What the values of a column are scaled by: the scaler of the register that they come from. */
function scaleOfColumn({ columns }: HeldProfile, at: number, values: Values): Scale | undefined {
  const column = columns[at];
  return column === undefined ? undefined : scaleAt(nameOf(column.obis), column.attribute, values);
}

function scaleAt(logicalName: string, attribute: number, values: Values): Scale | undefined {
  // The value of a register, or the last average or the current one of a demand register.
  if (attribute !== 2 && attribute !== 3) return undefined;
  return scaleIn(values.read(logicalName, 3)) ?? scaleIn(values.read(logicalName, 4));
}

interface Values {
  /** Undefined where the meter would not say. */
  read(logicalName: string, attribute: number): Data | undefined;
  readonly unread: readonly Unread[];
}

async function readAll(session: Session | ShortNameSession, items: readonly GetItem[]): Promise<Values> {
  const found = new Map<string, Data>();
  const unread: Unread[] = [];
  for (const [at, item] of (await session.getList(items)).entries()) {
    const { logicalName, attributeId } = items[at]!;
    if (item.kind === "refused")
      unread.push({ obis: obisOf(logicalName), attribute: attributeId, reason: String(item.reason) });
    else found.set(`${logicalName}/${attributeId}`, decode(data, item.value, { trailing: "ignore" }));
  }
  return { read: (name, attribute) => found.get(`${name}/${attribute}`), unread };
}

function readingOf(object: ListedObject, values: Values): HeldReading | undefined {
  const wanted = READ_OF[object.classId];
  if (wanted === undefined) return undefined;
  const { logicalName } = object;
  const raw = values.read(logicalName, wanted.value);
  if (raw === undefined) return undefined;
  const scale = wanted.scaler === undefined ? undefined : scaleIn(values.read(logicalName, wanted.scaler));
  const number = numberOf(raw);
  const value = scale !== undefined && number !== undefined ? scaled(number, scale.scaler) : plainValue(raw);
  // A list in a data object is no reading.
  if (value === undefined) return undefined;
  const isClock = object.classId === CLOCK;
  const { obis, name } = describe(object);
  const shown = isClock ? (timeIn(raw) ?? value) : value;
  return {
    obis,
    name,
    value: shown,
    unit: scale?.unit ?? null,
    time: wanted.time === undefined ? null : timeIn(values.read(logicalName, wanted.time)),
  };
}

function profileOf(object: ListedObject, values: Values): HeldProfile {
  const { obis, name } = describe(object);
  const read = (attribute: number): Data | undefined => values.read(object.logicalName, attribute);
  const columns = read(PROFILE_ATTRIBUTES.columns);
  const number = (value: Data | undefined): number | null => (typeof value?.value === "number" ? value.value : null);
  return {
    obis,
    name,
    columns: columns?.type === "array" ? columns.value.map((column) => columnOf(column, values)) : [],
    capturePeriodSeconds: number(read(PROFILE_ATTRIBUTES.capturePeriod)),
    entries: number(read(PROFILE_ATTRIBUTES.entries)),
    rows: [],
  };
}

function columnOf(column: Data, values: Values): HeldColumn {
  const [, octets, index] = column.type === "structure" ? column.value : [];
  const isName = octets?.type === "octet-string" && octets.value.length === 6;
  const logicalName = isName ? logicalNameText(octets.value) : "?";
  const attribute = Number(index === undefined ? 0 : (numberOf(index) ?? 0));
  const obis = isName ? obisOf(logicalName) : "?";
  const code = parseObis(obis);
  const name = code === undefined ? obis : obisInWords(code);
  return { obis, attribute, name, unit: scaleAt(logicalName, attribute, values)?.unit ?? null };
}

function describe({ classId, version, logicalName }: ListedObject): HeldObject {
  const obis = obisOf(logicalName);
  const code = parseObis(obis);
  const known = INTERFACE_CLASSES.find(({ id }) => id === classId);
  return { classId, version, obis, class: known?.name ?? null, name: code === undefined ? obis : obisInWords(code) };
}

/** `1-0:1.8.0` as `1.0.1.8.0.255`. */
function nameOf(code: string): string {
  const [a, b, c, d, e, f = "255"] = code.split(/[-:.]/);
  return [a, b, c, d, e, f].join(".");
}

/** `1.0.1.8.0.255` as `1-0:1.8.0`. */
function obisOf(logicalName: string): string {
  const [a, b, c, d, e, f] = logicalName.split(".");
  return `${a}-${b}:${c}.${d}.${e}${f === "255" ? "" : `.${f}`}`;
}

function scaleIn(value: Data | undefined): Scale | undefined {
  const [scaler, unit] = value?.type === "structure" ? value.value : [];
  if (typeof scaler?.value !== "number" || typeof unit?.value !== "number") return undefined;
  return { scaler: scaler.value, unit: unitSymbol(unit.value) };
}

function timeIn(value: Data | undefined): string | null {
  const time =
    value?.type === "date-time" ? value.value : value?.type === "octet-string" ? readDateTime(value.value) : undefined;
  return (time === undefined ? undefined : timeText(time)) ?? null;
}

function textIn(value: Data | undefined): string | null {
  const shown = value === undefined ? undefined : plainValue(value);
  return typeof shown === "string" ? shown : null;
}

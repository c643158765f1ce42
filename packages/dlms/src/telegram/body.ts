import type { DateTime } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import { formatObis, type ObisCode, obisFromOctets } from "../obis/code.ts";
import { readDateTime } from "./clock.ts";
import {
  childrenOf,
  type ItemList,
  type LooseItem,
  readObjectListPush,
  readTaggedList,
  type TaggedItem,
} from "./item.ts";
import type { Layout } from "./layout.ts";
import { findTaggedLayout, type LayoutContext, mayMeet, meets } from "./layout-match.ts";
import { makerOf } from "./maker.ts";
import { fitsColumns, nameText, readColumns } from "./positional.ts";
import { type RawValue, type Reading, reading } from "./reading.ts";
import { scaleItems } from "./scales.ts";
import { scaled } from "./scaling.ts";
import { numberOf, plainValue, rawValues, textOf } from "./value.ts";
import { type TelegramWarning, warning } from "./warning.ts";

/** How the meaning of the values was found. */
export type BodyKind =
  /** The push begins with its own object list. */
  | "object-list"
  /** Every value carries its OBIS code. */
  | "tagged"
  /** Values without codes: the operator's layout says what they are. */
  | "positional"
  /** Lines of a P1 telegram. */
  | "p1"
  /** The list of all objects of a meter; it holds no readings. */
  | "objects"
  /** Nothing gives the values a meaning. */
  | "unknown";

/** An object in a meter's list of objects. */
export interface MeterObject {
  readonly classId: number;
  readonly version: number;
  readonly obis: string;
}

/** The values of a notification, with the meaning found for them. */
export interface Body {
  readonly kind: BodyKind;
  readonly layout: Layout | undefined;
  readonly readings: readonly Reading[];
  readonly raw: readonly RawValue[];
  readonly objects: readonly MeterObject[];
  /** Time of capture that stands among the values. */
  readonly clock: DateTime | undefined;
  /** Text that names the list. */
  readonly listId: string | undefined;
  readonly warnings: readonly TelegramWarning[];
}

/** What is known besides the values. */
export interface BodyContext extends Pick<LayoutContext, "maker" | "hdlc" | "invokeId"> {
  readonly layouts: readonly Layout[];
  /** The layout that was asked for: no other is tried. */
  readonly chosen: Layout | undefined;
}

/** Finds out what the values of a notification mean. What nothing explains is handed on raw. */
export function interpretBody(value: Data, context: BodyContext): Body {
  const objects = readObjects(value);
  if (objects !== undefined) return { ...NOTHING, kind: "objects", objects };
  const pushed = readObjectListPush(value);
  if (pushed !== undefined) return interpretList(pushed, value, context);
  const positional = interpretPositional(value, context);
  if (positional !== undefined) return positional;
  const tagged = readTaggedList(value);
  if (tagged !== undefined) return interpretList(tagged, value, context);
  return unknownBody(value, context);
}

const NOTHING: Body = {
  kind: "unknown",
  layout: undefined,
  readings: [],
  raw: [],
  objects: [],
  clock: undefined,
  listId: undefined,
  warnings: [],
};

function interpretPositional(value: Data, context: BodyContext): Body | undefined {
  const values = childrenOf(value);
  if (values === undefined) return undefined;
  const listId = listIdOf(values);
  const maker = context.maker ?? (listId === undefined ? undefined : makerOf(listId)?.flag);
  const known: LayoutContext = { ...context, maker, listId, list: undefined };
  const candidates = context.chosen === undefined ? context.layouts : [context.chosen];
  const fitting = candidates.filter(({ columns }) => columns !== undefined && fitsColumns(values, columns));
  const certain = fitting.find((one) => one === context.chosen || meets(known, one.match));
  // A plaintext from a log has lost the title that names the maker. Many columns in a row are no coincidence.
  const likely = values.length >= TELLING_COLUMNS ? fitting.find((one) => mayMeet(known, one.match)) : undefined;
  const layout = certain ?? likely;
  if (layout?.columns === undefined) return undefined;
  const { readings, raw, clock } = readColumns(values, layout.columns);
  const warnings = aboutLayout(certain === undefined ? { ...layout, assumed: true } : layout);
  return { ...NOTHING, kind: "positional", layout, readings, raw, clock, listId, warnings };
}

/** Lists of fewer columns than this look alike with many makers. */
const TELLING_COLUMNS = 8;

function interpretList(list: ItemList, value: Data, context: BodyContext): Body {
  const listId = listIdOf(childrenOf(value) ?? []);
  const maker = context.maker ?? makerIn(list.items);
  const known: LayoutContext = { ...context, maker, listId, list };
  const layout = context.chosen ?? findTaggedLayout(context.layouts, known);
  const isUnfit = layout?.columns !== undefined;
  const { scales, warnings } = scaleItems(list.items, layout?.scales ?? []);
  const readings: Reading[] = [];
  const raw: RawValue[] = [];
  let clock: DateTime | undefined;
  for (const item of list.items) {
    clock ??= clockIn(item);
    const scale = scales.get(item);
    const number = numberOf(item.value);
    const shown = number !== undefined && scale !== undefined ? scaled(number, scale.scaler) : plainValue(item.value);
    if (shown === undefined) raw.push(...rawValues(item.value, item.path));
    else readings.push(reading({ obis: formatObis(item.code), value: shown, unit: scale?.unit ?? null }));
  }
  for (const loose of list.loose) {
    const given = giveLooseMeaning(loose, list, layout, clock);
    if (given.clock !== undefined) clock = given.clock;
    else if (given.reading !== undefined) readings.push(given.reading);
    else if (!(loose.index === 0 && listId !== undefined)) raw.push(...rawValues(loose.value, `[${loose.index}]`));
  }
  return {
    ...NOTHING,
    kind: list.kind,
    layout: isUnfit ? undefined : layout,
    readings,
    raw,
    clock,
    listId,
    warnings: [...warnings, ...(isUnfit ? [misfit(layout)] : layout === undefined ? [] : aboutLayout(layout))],
  };
}

/** A clock at the head and a text at the end are what lists carry without a code. */
function giveLooseMeaning(
  loose: LooseItem,
  list: ItemList,
  layout: Layout | undefined,
  clock: DateTime | undefined,
): { readonly clock?: DateTime; readonly reading?: Reading } {
  const { value, index } = loose;
  const time = value.type === "octet-string" ? readDateTime(value.value) : undefined;
  if (time !== undefined && clock === undefined && index === 0) return { clock: time };
  const isLast = loose === list.loose.at(-1) && index > 0;
  const text = isLast ? textOf(value) : undefined;
  if (text === undefined || layout?.trailingText === undefined) return {};
  return { reading: reading({ obis: nameText(layout.trailingText), value: text, unit: null }) };
}

function unknownBody(value: Data, context: BodyContext): Body {
  const message = "the values carry no codes, and no layout fits them: they are shown as they came";
  const warnings = context.chosen === undefined ? [warning("layout-unknown", message)] : [misfit(context.chosen)];
  return { ...NOTHING, raw: rawValues(value, ""), listId: listIdOf(childrenOf(value) ?? []), warnings };
}

function aboutLayout(layout: Layout): TelegramWarning[] {
  const warnings: TelegramWarning[] = [];
  if (layout.assumed === true) {
    const message = `these values are taken for layout ${layout.id}, which they fit; nothing else confirms it`;
    warnings.push(warning("layout-assumed", message));
  }
  if (layout.note !== undefined) warnings.push(warning("layout-note", layout.note));
  return warnings;
}

function misfit(layout: Layout): TelegramWarning {
  return warning("layout-does-not-fit", `the values are not those of layout ${layout.id}: they are shown as they came`);
}

function clockIn(item: TaggedItem): DateTime | undefined {
  if (!isClock(item.code)) return undefined;
  if (item.value.type === "date-time") return item.value.value;
  return item.value.type === "octet-string" ? readDateTime(item.value.value) : undefined;
}

function isClock(code: ObisCode): boolean {
  return code.a === 0 && code.c === 1 && code.d === 0;
}

/** A logical device name begins with the FLAG id of its maker (Blue Book 4.1.8.2). */
function makerIn(items: readonly TaggedItem[]): string | undefined {
  const item = items.find(({ code }) => code.a === 0 && code.c === 42 && code.d === 0);
  const text = item === undefined ? undefined : textOf(item.value);
  return text === undefined ? undefined : makerOf(text)?.flag;
}

function listIdOf(values: readonly Data[]): string | undefined {
  const first = values[0];
  const text = first === undefined ? undefined : textOf(first);
  return text === "" ? undefined : text;
}

/** `object_list_element ::= structure { class_id, version, logical_name, access_rights }` (Blue Book 4.4.4). */
function readObjects(value: Data): readonly MeterObject[] | undefined {
  if (value.type !== "array" || value.value.length === 0) return undefined;
  const objects: MeterObject[] = [];
  for (const element of value.value) {
    if (element.type !== "structure" || element.value.length !== 4) return undefined;
    const [classId, version, name, rights] = element.value;
    if (classId?.type !== "long-unsigned" || version?.type !== "unsigned" || rights?.type !== "structure")
      return undefined;
    const code = name?.type === "octet-string" ? obisFromOctets(name.value) : undefined;
    if (code === undefined) return undefined;
    objects.push({ classId: classId.value, version: version.value, obis: formatObis(code) });
  }
  return objects;
}

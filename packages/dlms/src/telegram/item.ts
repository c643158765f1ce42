import type { Data } from "../data/value.ts";
import { type ObisCode, obisFromOctets } from "../obis/code.ts";
import { printableText } from "./value.ts";

/** A value that came with its OBIS code. */
export interface TaggedItem {
  readonly code: ObisCode;
  readonly value: Data;
  readonly path: string;
  /** Scaler and unit where they were sent along. */
  readonly scaling: Scaling | undefined;
  /** The attribute, where an object list names it; otherwise the value attribute is meant. */
  readonly attribute: number | undefined;
}

/** `scal_unit_type ::= structure { scaler: integer, unit: enum }` (Blue Book 4.3.2). */
export interface Scaling {
  readonly scaler: number;
  /** Number of the DLMS unit. */
  readonly unit: number;
}

/** A value that came without a code, at this place of its list. */
export interface LooseItem {
  readonly index: number;
  readonly value: Data;
}

/** A list taken apart into what carries a code and what does not. */
export interface ItemList {
  readonly kind: "object-list" | "tagged";
  readonly items: readonly TaggedItem[];
  readonly loose: readonly LooseItem[];
  /** The push setup that the meter names as its sender. */
  readonly pushSetup: ObisCode | undefined;
}

/** The class of push setups, whose own code is no reading in a flat list. */
const PUSH_SETUP = 40;

/**
 * Reads a push that begins with its own object list: an array of `{ class, logical name, attribute, index }`, then the
 * values in the same order (Blue Book 4.4.8, push_object_list). Undefined when `value` is no such push.
 */
export function readObjectListPush(value: Data): ItemList | undefined {
  const outer = childrenOf(value);
  const head = outer?.[0];
  if (outer === undefined || head?.type !== "array" || head.value.length === 0) return undefined;
  const objects = head.value.map(readPushObject);
  if (objects.some((object) => object === undefined)) return undefined;
  const entries = objects as readonly PushObject[];

  // Most meters list the object list itself first, and the array stands in its place; some do not.
  const shift = outer.length - entries.length;
  if (shift !== 0 && shift !== 1) return undefined;
  const items: TaggedItem[] = [];
  const scalings = new Map<string, Scaling>();
  for (const [index, object] of entries.entries()) {
    const sent = outer[index + shift];
    if (sent === undefined || sent === head) continue;
    const key = object.octets.join(".");
    const scaling = readScaling(sent);
    if (object.attribute === 3 && scaling !== undefined) scalings.set(key, scaling);
    else
      items.push({
        code: object.code,
        value: sent,
        path: `[${index + shift}]`,
        scaling: undefined,
        attribute: object.attribute,
      });
  }
  const scaledItems = items.map((item) =>
    item.attribute === 2 ? { ...item, scaling: scalings.get(octetsOf(item.code).join(".")) } : item,
  );
  const pushSetup = entries.find((object) => object.classId === PUSH_SETUP)?.code;
  return { kind: "object-list", items: scaledItems, loose: [], pushSetup };
}

/**
 * Reads a list whose values carry their codes, as `{ code, value }`, `{ code, value, { scaler, unit } }`, or the same
 * without the braces. Undefined when too much of the list carries no code: then the codes in it are not what they seem.
 */
export function readTaggedList(value: Data): ItemList | undefined {
  const list = childrenOf(value);
  if (list === undefined) return undefined;
  const items: TaggedItem[] = [];
  const loose: LooseItem[] = [];
  for (let index = 0; index < list.length; index += 1) {
    const element = list[index] as Data;
    const path = `[${index}]`;
    const inner = element.type === "structure" ? readTaggedStructure(element.value, path) : undefined;
    if (inner !== undefined) {
      items.push(inner);
      continue;
    }
    const code = readCode(element);
    const next = list[index + 1];
    const isPair = code !== undefined && next !== undefined && readCode(next) === undefined;
    if (!isPair || isPushSetupCode(code)) {
      loose.push({ index, value: element });
      continue;
    }
    const after = list[index + 2];
    const scaling = after === undefined ? undefined : readScaling(after);
    items.push({ code, value: next, path: `[${index + 1}]`, scaling, attribute: undefined });
    index += scaling === undefined ? 1 : 2;
  }
  const isCredible = items.length > 0 && loose.length <= Math.min(items.length, MOST_LOOSE);
  return isCredible ? { kind: "tagged", items, loose, pushSetup: undefined } : undefined;
}

/** A list identification, a clock and a meter number are all that real tagged lists carry without codes. */
const MOST_LOOSE = 3;

/** The elements of a list of any kind; lists that hold nothing but one list are opened. */
export function childrenOf(value: Data): readonly Data[] | undefined {
  const children =
    value.type === "array" || value.type === "structure"
      ? value.value
      : value.type === "compact-array"
        ? value.value.items
        : undefined;
  const only = children?.length === 1 ? (children[0] as Data) : undefined;
  if (only?.type === "array" || (only?.type === "structure" && readTaggedStructure(only.value, "") === undefined))
    return childrenOf(only);
  return children;
}

interface PushObject {
  readonly classId: number;
  readonly code: ObisCode;
  readonly octets: Uint8Array;
  readonly attribute: number;
}

function readPushObject(value: Data): PushObject | undefined {
  if (value.type !== "structure") return undefined;
  const [classId, name, attribute] = value.value;
  if (classId?.type !== "long-unsigned" || name?.type !== "octet-string" || attribute?.type !== "integer")
    return undefined;
  const code = obisFromOctets(name.value);
  return code === undefined
    ? undefined
    : { classId: classId.value, code, octets: name.value, attribute: attribute.value };
}

function readTaggedStructure(fields: readonly Data[], path: string): TaggedItem | undefined {
  const [name, value, third] = fields;
  const code = name === undefined ? undefined : readCode(name);
  if (code === undefined || value === undefined || fields.length > 3) return undefined;
  const scaling = third === undefined ? undefined : readScaling(third);
  if (third !== undefined && scaling === undefined) return undefined;
  return { code, value, path: `${path}[1]`, scaling, attribute: undefined };
}

function readScaling(value: Data): Scaling | undefined {
  if (value.type !== "structure" || value.value.length !== 2) return undefined;
  const [scaler, unit] = value.value;
  return scaler?.type === "integer" && unit?.type === "enum" ? { scaler: scaler.value, unit: unit.value } : undefined;
}

/** A six-octet string that is a code and not a short text; media above 9 are not in use. */
function readCode(value: Data): ObisCode | undefined {
  if (value.type !== "octet-string" || value.value.length !== 6) return undefined;
  const code = obisFromOctets(value.value);
  return code !== undefined && code.a <= 9 && printableText(value.value) === undefined ? code : undefined;
}

function isPushSetupCode(code: ObisCode): boolean {
  return code.a === 0 && code.c === 25 && code.d === 9;
}

function octetsOf(code: ObisCode): readonly number[] {
  return [code.a, code.b, code.c, code.d, code.e, code.f];
}

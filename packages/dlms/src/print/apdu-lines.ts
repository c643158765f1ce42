import { acseApdu } from "../acse/acse-apdu.ts";
import { toHex } from "../bytes.ts";
import { decode } from "../codec/codec.ts";
import { formatObis, obisFromOctets } from "../obis/code.ts";
import { obisInWords } from "../obis/words.ts";
import { apdu } from "../xdlms/apdu.ts";

/** One line of a printed APDU. */
export interface ApduLine {
  /** How deep in the tree; 0 for the APDU itself. */
  readonly depth: number;
  readonly name: string;
  readonly value?: string;
}

/** A page stays usable below this; the octets themselves are always complete. */
const MAX_LINES = 600;

/**
 * Prints an APDU, plain or of the association, as lines of name and value: a tree in pre-order, with objects by their OBIS code
 * and in words. At most 600 lines; undefined where the octets are no APDU.
 */
export function apduLines(octets: Uint8Array): readonly ApduLine[] | undefined {
  const value = decodeAny(octets);
  if (value === undefined) return undefined;
  const lines: ApduLine[] = [];
  const { kind, value: content } = value as { kind: string; value: unknown };
  add(lines, 0, kind, content);
  return lines;
}

/** An xDLMS APDU or one of the association's; undefined for neither. */
function decodeAny(octets: Uint8Array): unknown {
  const tag = octets[0] ?? 0;
  try {
    return tag >= 0x60 && tag <= 0x63 ? decode<unknown>(acseApdu, octets) : decode<unknown>(apdu, octets);
  } catch {
    return undefined;
  }
}

function add(lines: ApduLine[], depth: number, name: string, value: unknown): void {
  if (lines.length >= MAX_LINES || value === undefined) return;
  const leaf = leafText(name, value);
  if (leaf !== undefined) {
    lines.push({ depth, name, value: leaf });
    return;
  }
  if (Array.isArray(value)) {
    lines.push({ depth, name, value: `${value.length} ${value.length === 1 ? "element" : "elements"}` });
    for (const [at, item] of value.entries()) add(lines, depth + 1, `[${at}]`, item);
    return;
  }
  // The null-data of an array.
  if (value === null || value === undefined) {
    lines.push({ depth, name });
    return;
  }
  const object = value as Readonly<Record<string, unknown>>;
  if (isTagged(object)) {
    addTagged(lines, depth, name, String(object["type"] ?? object["kind"]), object["value"]);
    return;
  }
  lines.push({ depth, name });
  for (const [field, item] of Object.entries(object)) add(lines, depth + 1, words(field), item);
}

/** A choice or a Data item: its kind is the line's value, its content the lines below. */
function addTagged(lines: ApduLine[], depth: number, name: string, kind: string, value: unknown): void {
  const leaf = leafText(name, value);
  if (leaf !== undefined) lines.push({ depth, name, value: `${kind} ${leaf}` });
  else if (value === null || value === undefined) lines.push({ depth, name, value: kind });
  else {
    lines.push({ depth, name, value: kind });
    if (Array.isArray(value)) for (const [at, item] of value.entries()) add(lines, depth + 1, `[${at}]`, item);
    else for (const [field, item] of Object.entries(value)) add(lines, depth + 1, words(field), item);
  }
}

function isTagged(object: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(object);
  return names.length === 2 && "value" in object && ("type" in object || "kind" in object);
}

function leafText(name: string, value: unknown): string | undefined {
  switch (typeof value) {
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    case "string":
      return value;
    default:
      break;
  }
  if (value instanceof Uint8Array) return octetText(name, value);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value.join(", ") || "none";
  return undefined;
}

function octetText(name: string, octets: Uint8Array): string {
  if (name === "instance id" || octets.length === 6) {
    const code = obisFromOctets(octets);
    if (code !== undefined) return `${formatObis(code)} (${obisInWords(code)})`;
  }
  const hex = toHex(octets).toUpperCase();
  const text = String.fromCharCode(...octets.subarray(0, 64));
  return octets.length > 2 && octets.length <= 64 && /^[\x20-\x7e]+$/.test(text) ? `${hex} "${text}"` : hex;
}

/** `invokeIdAndPriority` as people write it. */
function words(field: string): string {
  return field.replace(/([a-z])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`);
}

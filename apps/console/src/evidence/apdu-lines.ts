/** A plain APDU as a tree of names and values, decoded in this browser: evidence is checked by the reader, not only by the server that stored it. */
import type { DecodedLine } from "@meterkeep/api";
import { apdu, decode, formatObis, fromHex, obisFromOctets, obisInWords, toHex } from "@meterkeep/dlms";

/** A page stays usable below this; the octets themselves are always complete. */
const MAX_LINES = 500;

/** Lines of the tree in pre-order; undefined where the octets are no APDU. */
export function apduLines(hex: string): readonly DecodedLine[] | undefined {
  try {
    const { kind, value } = decode(apdu, fromHex(hex)) as { kind: string; value: unknown };
    const lines: DecodedLine[] = [];
    grow(lines, 0, kind, value);
    return lines;
  } catch {
    return undefined;
  }
}

function grow(lines: DecodedLine[], depth: number, name: string, value: unknown): void {
  if (value === undefined || lines.length >= MAX_LINES) return;
  const text = textOf(value);
  if (text !== undefined) {
    lines.push({ depth, name, value: text });
    return;
  }
  const { label, content } = unwrap(value as object);
  const inline = textOf(content);
  if (inline !== undefined) {
    lines.push({ depth, name, value: label === undefined ? inline : `${label} ${inline}` });
    return;
  }
  lines.push(label === undefined ? { depth, name } : { depth, name, value: label });
  if (content === null || content === undefined) return;
  const parts = Array.isArray(content)
    ? content.map((item, index): [string, unknown] => [`[${index}]`, item])
    : Object.entries(content).map(([field, item]): [string, unknown] => [spaced(field), item]);
  for (const [part, item] of parts) grow(lines, depth + 1, part, item);
}

/** A choice or a Data value says which it is; that word stands on its line, what it holds below. */
function unwrap(value: object): { label: string | undefined; content: unknown } {
  const names = Object.keys(value);
  const tag = (value as Record<string, unknown>)["kind"] ?? (value as Record<string, unknown>)["type"];
  if (typeof tag !== "string" || names.length > 2) return { label: undefined, content: value };
  return { label: tag, content: (value as Record<string, unknown>)["value"] };
}

function textOf(value: unknown): string | undefined {
  if (value instanceof Uint8Array) return octets(value);
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean" ? `${value}` : undefined;
}

function octets(bytes: Uint8Array): string {
  const hex = toHex(bytes).toUpperCase();
  const code = bytes.length === 6 ? obisFromOctets(bytes) : undefined;
  return code === undefined ? hex || "empty" : `${formatObis(code)}, ${obisInWords(code)}`;
}

function spaced(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

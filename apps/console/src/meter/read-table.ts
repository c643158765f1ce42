/** What an operation has read, as a table that people read: whatever its shape, no cell is code. */
export interface ReadTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly ReadCell[])[];
}

/** One cell: text, a number in its unit, or an instant. */
export type ReadCell =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "quantity"; readonly value: number | string; readonly unit: string }
  | { readonly kind: "instant"; readonly at: string };

/** Names of members that people know by another word. */
const HEADS: Readonly<Record<string, string>> = { obis: "OBIS", at: "Time", classId: "Class", from: "From", to: "To" };
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z$/;
/** Deeper than this only counts are told: a list of lists of lists is nobody's reading. */
const DEEPEST = 3;

/**
 * Lays out what was read: a list of things is a row a thing with their members as columns, where a value and its unit are one;
 * a single thing is a row a member.
 */
export function readTable(data: unknown): ReadTable {
  if (Array.isArray(data) && data.length > 0 && data.every(isRecord)) return listOf(data);
  if (Array.isArray(data)) return { columns: ["Value"], rows: data.map((each) => [cellOf(each)]) };
  if (isRecord(data))
    return {
      columns: ["What", "Value"],
      rows: Object.entries(data).map(([name, value]) => [text(headOf(name)), cellOf(value)]),
    };
  return { columns: ["Value"], rows: [[cellOf(data)]] };
}

/** The name of a member in words: `primaryAddress` is "Primary address". */
export function headOf(name: string): string {
  const known = HEADS[name];
  if (known !== undefined) return known;
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function listOf(things: readonly Readonly<Record<string, unknown>>[]): ReadTable {
  const names = [...new Set(things.flatMap((thing) => Object.keys(thing)))];
  const hasQuantity = names.includes("value") && names.includes("unit");
  const shown = hasQuantity ? names.filter((name) => name !== "unit") : names;
  return {
    columns: shown.map(headOf),
    rows: things.map((thing) =>
      shown.map((name) =>
        hasQuantity && name === "value" ? quantityOf(thing["value"], thing["unit"]) : cellOf(thing[name]),
      ),
    ),
  };
}

function quantityOf(value: unknown, unit: unknown): ReadCell {
  const isNumber = typeof value === "number" || (typeof value === "string" && /^-?\d+$/.test(value));
  return isNumber && typeof unit === "string" ? { kind: "quantity", value, unit } : cellOf(value);
}

function cellOf(value: unknown): ReadCell {
  if (typeof value === "string" && INSTANT.test(value)) return { kind: "instant", at: value };
  return text(wordsOf(value, 0));
}

function wordsOf(value: unknown, depth: number): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) {
    if (value.length === 0) return "none";
    if (depth >= DEEPEST) return `${value.length} of them`;
    return value.map((each) => wordsOf(each, depth + 1)).join(depth === 0 ? "; " : ", ");
  }
  if (isRecord(value)) {
    const members = Object.entries(value);
    if (depth >= DEEPEST) return `${members.length} members`;
    return members.map(([name, each]) => `${headOf(name).toLowerCase()} ${wordsOf(each, depth + 1)}`).join(", ");
  }
  return typeof value === "object" ? "" : String(value as string | number | bigint);
}

function text(words: string): ReadCell {
  return { kind: "text", text: words };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

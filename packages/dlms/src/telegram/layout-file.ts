import { DATA_TAGS } from "../data/value.ts";
import { DlmsError } from "../errors.ts";
import { parseObis } from "../obis/code.ts";
import { QUANTITY_UNITS } from "../obis/quantity.ts";
import type { Layout } from "./layout.ts";
import { parseSelector } from "./selector.ts";

/** A file of layouts: one operator or one family of meters. */
export interface LayoutFile {
  readonly family: string;
  /** Where the facts come from. */
  readonly sources: readonly string[];
  readonly layouts: readonly Layout[];
}

type Check = (value: unknown, path: string) => void;

const COLUMN_TYPES: ReadonlySet<string> = new Set([...Object.keys(DATA_TAGS), "string", "any"]);
const FORMATS: ReadonlySet<string> = new Set(["date-time", "date", "time", "text", "obis"]);

/**
 * Checks that parsed JSON is a file of layouts (docs/formats/layouts.md) and gives it its type.
 *
 * @throws DlmsError `invalid-value`; the message names the place, for instance `layouts[0].columns[3].scaler`.
 */
export function parseLayoutFile(json: unknown): LayoutFile {
  file(json, "");
  return json as LayoutFile;
}

const text: Check = (value, path) => {
  if (typeof value !== "string" || value === "") fail(path, "must be a text");
};
const flag: Check = (value, path) => {
  if (typeof value !== "boolean") fail(path, "must be true or false");
};
const scaler: Check = (value, path) => {
  if (!Number.isInteger(value) || Math.abs(value as number) > 12) fail(path, "must be an integer from -12 to 12");
};
const hexText: Check = (value, path) => {
  if (typeof value !== "string" || !/^([0-9A-F]{2})+$/.test(value)) fail(path, "must be upper-case hex");
};
const obisCode: Check = (value, path) => {
  if (typeof value !== "string" || parseObis(value) === undefined) fail(path, "must be an OBIS code such as 1-0:1.8.0");
};
const obisSelector: Check = (value, path) => {
  if (typeof value !== "string" || parseSelector(value) === undefined)
    fail(path, "must be an OBIS selector such as 1-*:1|2.8.*");
};
const maker: Check = (value, path) => {
  if (typeof value !== "string" || !/^[A-Z]{3}$/.test(value)) fail(path, "must be three capital letters");
};
const identifier: Check = (value, path) => {
  if (typeof value !== "string" || !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(value))
    fail(path, "must be lower-case letters and digits with hyphens");
};
const limits: Check = (value, path) => {
  const [least, most] = Array.isArray(value) ? (value as unknown[]) : [];
  if (typeof least !== "number" || typeof most !== "number" || least >= most || (value as unknown[]).length !== 2)
    fail(path, "must be two numbers, the lower one first");
};

const oneOf =
  (names: ReadonlySet<string>): Check =>
  (value, path) => {
    if (typeof value !== "string" || !names.has(value)) fail(path, `must be one of ${[...names].join(", ")}`);
  };
const listOf =
  (item: Check): Check =>
  (value, path) => {
    if (!Array.isArray(value) || value.length === 0) fail(path, "must be a list that is not empty");
    for (const [index, one] of value.entries()) item(one, `${path}[${index}]`);
  };
const objectOf =
  (required: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): Check =>
  (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) fail(path, "must be an object");
    const joint = path === "" ? "" : ".";
    for (const key of Object.keys(required)) if (!(key in value)) fail(path + joint + key, "is missing");
    for (const [key, field] of Object.entries(value)) {
      const check = required[key] ?? optional[key];
      if (check === undefined) fail(path + joint + key, "is not a field of this format");
      check(field, path + joint + key);
    }
  };
const either =
  (first: (value: unknown) => boolean, one: Check, other: Check): Check =>
  (value, path) =>
    first(value) ? one(value, path) : other(value, path);

const name = either(
  (value) => typeof value === "object" && value !== null && "label" in value,
  objectOf({ label: identifier }),
  objectOf({ obis: obisCode }),
);

const column = objectOf(
  { type: oneOf(COLUMN_TYPES) },
  {
    format: oneOf(FORMATS),
    name,
    isClock: flag,
    scaler,
    unit: (value, path) => (value === "" ? undefined : text(value, path)),
    equals: obisCode,
    optional: flag,
  },
);

const scale = objectOf(
  { scaler: either(Array.isArray, listOf(scaler), scaler) },
  {
    quantity: oneOf(new Set(Object.keys(QUANTITY_UNITS))),
    obis: obisSelector,
    plausible: limits,
    unit: (value, path) => (value === "" ? undefined : text(value, path)),
  },
);

const match = objectOf(
  {},
  {
    makers: listOf(maker),
    pushSetup: obisSelector,
    hdlc: objectOf({ destination: hexText, source: hexText }),
    invokeId: hexText,
    listId: text,
    contains: listOf(obisCode),
    endings: listOf(objectOf({ obis: obisCode, endsWith: listOf(text) })),
  },
);

const layout = objectOf(
  { id: identifier, title: text, match },
  { columns: listOf(column), scales: listOf(scale), trailingText: name, assumed: flag, note: text },
);

const file = objectOf({ family: text, sources: listOf(text), layouts: listOf(layout) });

function fail(path: string, what: string): never {
  throw new DlmsError("invalid-value", `layout file: ${path === "" ? "it" : path} ${what}`);
}

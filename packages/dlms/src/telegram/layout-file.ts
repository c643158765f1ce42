import { DATA_TAGS } from "../data/value.ts";
import { parseObis } from "../obis/code.ts";
import { QUANTITY_UNITS } from "../obis/quantity.ts";
import {
  type Check,
  either,
  fail,
  flag,
  hexText,
  identifier,
  listOf,
  maker,
  objectOf,
  oneOf,
  text,
  wholeNumber,
} from "../profile/json-check.ts";
import type { MeterFacts } from "../profile/meter-profile.ts";
import { meterFacts } from "../profile/profile-checks.ts";
import type { Layout } from "./layout.ts";
import { parseSelector } from "./selector.ts";

/** A file of facts: one operator or one family of meters, what they push and how to talk to them. */
export interface LayoutFile {
  readonly family: string;
  /** Where the facts come from. */
  readonly sources: readonly string[];
  readonly layouts: readonly Layout[];
  readonly profiles: readonly MeterFacts[];
}

const COLUMN_TYPES: ReadonlySet<string> = new Set([...Object.keys(DATA_TAGS), "string", "any"]);
const FORMATS: ReadonlySet<string> = new Set(["date-time", "date", "time", "text", "obis"]);

/**
 * Checks that parsed JSON is a file of layouts and meter profiles (docs/formats/layouts.md) and gives it its type. One of
 * the two lists may be missing.
 *
 * @throws DlmsError `invalid-value`; the message names the place, for instance `layouts[0].columns[3].scaler`.
 */
export function parseLayoutFile(json: unknown): LayoutFile {
  file(json, "");
  const {
    layouts = [],
    profiles = [],
    ...facts
  } = json as Pick<LayoutFile, "family" | "sources"> & Partial<LayoutFile>;
  if (layouts.length + profiles.length === 0)
    fail("layouts", "is missing, and so is profiles: one of them must be there");
  return { ...facts, layouts, profiles };
}

/**
 * Gives a file that comes with the package its type, without checking it: the tests have done that, and whoever imports the
 * package need not wait for it.
 */
export function builtInLayoutFile(json: Pick<LayoutFile, "family" | "sources"> & Record<string, unknown>): LayoutFile {
  return { layouts: [], profiles: [], ...json };
}

const scaler = wholeNumber(-12, 12);
const obisCode: Check = (value, path) => {
  if (typeof value !== "string" || parseObis(value) === undefined) fail(path, "must be an OBIS code such as 1-0:1.8.0");
};
const obisSelector: Check = (value, path) => {
  if (typeof value !== "string" || parseSelector(value) === undefined)
    fail(path, "must be an OBIS selector such as 1-*:1|2.8.*");
};
const limits: Check = (value, path) => {
  const [least, most] = Array.isArray(value) ? (value as unknown[]) : [];
  if (typeof least !== "number" || typeof most !== "number" || least >= most || (value as unknown[]).length !== 2)
    fail(path, "must be two numbers, the lower one first");
};

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

const file = objectOf(
  { family: text, sources: listOf(text) },
  { layouts: listOf(layout), profiles: listOf(meterFacts) },
);

import { DlmsError } from "../errors.ts";

/** Says that a parsed JSON value is what belongs at `path`, by throwing where it is not. */
export type Check = (value: unknown, path: string) => void;

// Checks for files of facts: each names the place of what is wrong, so that whoever writes such a file can mend it.

/** @throws DlmsError `invalid-value`: "layouts[0].columns[3].scaler must be …". */
export function fail(path: string, what: string): never {
  throw new DlmsError("invalid-value", `${path === "" ? "the file" : path} ${what}`);
}

export const text: Check = (value, path) => {
  if (typeof value !== "string" || value === "") fail(path, "must be a text");
};
export const flag: Check = (value, path) => {
  if (typeof value !== "boolean") fail(path, "must be true or false");
};
export const identifier: Check = (value, path) => {
  if (typeof value !== "string" || !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(value))
    fail(path, "must be lower-case letters and digits with hyphens");
};
/** FLAG id: the three letters of a maker. */
export const maker: Check = (value, path) => {
  if (typeof value !== "string" || !/^[A-Z]{3}$/.test(value)) fail(path, "must be three capital letters");
};
export const hexText: Check = (value, path) => {
  if (typeof value !== "string" || !/^([0-9A-F]{2})+$/.test(value)) fail(path, "must be upper-case hex");
};

/** A whole number from `least` to `most`. */
export const wholeNumber =
  (least: number, most: number): Check =>
  (value, path) => {
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
      fail(path, `must be an integer from ${least} to ${most}`);
  };
export const oneOf =
  (names: ReadonlySet<string>): Check =>
  (value, path) => {
    if (typeof value !== "string" || !names.has(value)) fail(path, `must be one of ${[...names].join(", ")}`);
  };
export const listOf =
  (item: Check): Check =>
  (value, path) => {
    if (!Array.isArray(value) || value.length === 0) fail(path, "must be a list that is not empty");
    for (const [index, one] of value.entries()) item(one, `${path}[${index}]`);
  };
export const objectOf =
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
export const either =
  (first: (value: unknown) => boolean, one: Check, other: Check): Check =>
  (value, path) =>
    first(value) ? one(value, path) : other(value, path);

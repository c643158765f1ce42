import { readFileSync, statSync } from "node:fs";
import { type KeyRing, keysByTitle, type MeterKeys, weaknessOf } from "@meterkeep/dlms";
import { CliError } from "../error.ts";
import { readKey } from "./key-text.ts";

/** The keys of a key file, and what is to be said about the file. */
export interface KeyFile {
  readonly ring: KeyRing;
  readonly warning: string | undefined;
}

const FIELDS = { key: "encryptionKey", authKey: "authenticationKey", broadcastKey: "broadcastKey" } as const;
const READABLE_BY_OTHERS = 0o077;

/**
 * Reads a key file (docs/formats/key-file.md): `{ "key": …, "authKey": … }` for one meter or any, and `meters` with the
 * same by system title.
 *
 * @throws CliError `key-file-invalid` with the place in the file. Messages never show a key.
 */
export function readKeyFile(path: string): KeyFile {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw invalid(path, "there is no such file");
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // The parser's own message quotes the text around the error, which may be a key.
    throw invalid(path, "it is not JSON");
  }
  const { meters = {}, ...others } = record(json, path, "it");
  const byTitle = Object.entries(record(meters, path, "meters")).map(([title, keys]): [string, MeterKeys] => {
    if (!/^[0-9A-Fa-f]{16}$/.test(title)) throw invalid(path, `meters.${title} is no system title of 16 hex digits`);
    return [title, readKeys(record(keys, path, `meters.${title}`), path, `meters.${title}.`)];
  });
  const forOthers = readKeys(others, path, "");
  const ring = keysByTitle(Object.fromEntries(byTitle), Object.keys(forOthers).length > 0 ? forOthers : undefined);
  // Keys that everybody knows need no secret place: git cannot keep the mode of examples/keys.json.
  const hasSecret = [...byTitle.map(([, keys]) => keys), forOthers].some((keys) =>
    Object.values(keys).some((key: Uint8Array) => weaknessOf(key) === undefined),
  );
  const isOpen = hasSecret && process.platform !== "win32" && (stats.mode & READABLE_BY_OTHERS) !== 0;
  const warning = isOpen ? `${path} can be read by others than its owner: chmod 600 ${path}` : undefined;
  return { ring, warning };
}

function readKeys(fields: Readonly<Record<string, unknown>>, path: string, prefix: string): MeterKeys {
  const keys: { -readonly [Name in keyof MeterKeys]: MeterKeys[Name] } = {};
  for (const [name, value] of Object.entries(fields)) {
    const field = FIELDS[name as keyof typeof FIELDS];
    if (field === undefined || !Object.hasOwn(FIELDS, name))
      throw invalid(path, `${prefix}${name} is not a field: key, authKey, broadcastKey and meters are`);
    if (typeof value !== "string") throw invalid(path, `${prefix}${name} must be a text of hex digits`);
    keys[field] = readKey(value, `${prefix}${name} in ${path}`);
  }
  return keys;
}

function record(value: unknown, path: string, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(path, `${what} must be an object`);
  return value as Readonly<Record<string, unknown>>;
}

function invalid(path: string, what: string): CliError {
  return new CliError("key-file-invalid", `key file ${path}: ${what}`);
}

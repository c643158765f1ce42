import type { ClientSecret, KnownKeys, ShipmentMeter } from "../shipment-writer.ts";
import type { SourceRow } from "./source-row.ts";

/** Where a field of a meter comes from: a column, the same text for all, or a number after a prefix. */
export type FieldSource =
  | string
  | { readonly value: string }
  /** `prefix` and the decimal number of the column, as upper-case hex of so many octets together. */
  | { readonly prefix: string; readonly number: string };

/** Which columns of somebody's file mean what (docs/formats/shipment.md, "Other people's files"). */
export interface Mapping {
  readonly separator: string;
  readonly encoding: "hex" | "base64";
  readonly fields: Readonly<Partial<Record<FieldName, FieldSource>>>;
  readonly keys: Readonly<Partial<Record<KeyName, string>>>;
  readonly secrets: readonly {
    readonly client: number;
    readonly kind: "LLS" | "HLS";
    readonly column: string;
    readonly encoding: "hex" | "base64" | "text";
  }[];
  readonly counter?: string | undefined;
}

const FIELDS = [
  "systemTitle",
  "logicalDeviceName",
  "serialNumber",
  "model",
  "hardwareRevision",
  "firmware",
  "profile",
  "securitySuite",
  "holders",
] as const;
type FieldName = (typeof FIELDS)[number];

const KEYS = {
  GUEK: "globalUnicastEncryptionKey",
  GBEK: "globalBroadcastEncryptionKey",
  GAK: "authenticationKey",
  KEK: "keyEncryptionKey",
} as const;
type KeyName = keyof typeof KEYS;

const SYSTEM_TITLE_BYTES = 8;
const SEPARATORS = [",", ";", "\t", "|"];

/** A meter to be shipped; its line is where it stands in the source. */
export interface MappedMeter {
  readonly meter: ShipmentMeter;
  readonly keys: KnownKeys;
  readonly secrets: readonly ClientSecret[];
  readonly counter: number | undefined;
}

/** Reads a mapping. Gives what is wrong with it instead where something is: nothing in it is guessed. */
export function parseMapping(text: string): Mapping | string {
  const value = parsed(text);
  if (!isObject(value)) return "a mapping is a JSON object";
  const { separator = ",", encoding = "hex", fields, keys, secrets = [], counter, ...others } = value;
  const stranger = Object.keys(others)[0];
  if (stranger !== undefined) return `"${stranger}" is not a part of a mapping`;
  if (!SEPARATORS.includes(separator as string)) return "separator is one of , ; | and the tabulator";
  if (encoding !== "hex" && encoding !== "base64") return "encoding is hex or base64";
  if (!isObject(fields) || fields["systemTitle"] === undefined) return "fields needs a systemTitle at least";
  for (const [name, source] of Object.entries(fields)) {
    if (!(FIELDS as readonly string[]).includes(name)) return `there is no field "${name}": ${FIELDS.join(", ")}`;
    if (!isFieldSource(source)) return `${name} is a column, {"value": …} or {"prefix": …, "number": …}`;
  }
  if (!isObject(keys) || keys["GUEK"] === undefined) return "keys needs a GUEK at least";
  for (const [name, column] of Object.entries(keys)) {
    if (!Object.hasOwn(KEYS, name)) return `there is no key "${name}": ${Object.keys(KEYS).join(", ")}`;
    if (typeof column !== "string") return `${name} is a column`;
  }
  if (!Array.isArray(secrets) || !secrets.every(isSecret))
    return 'a secret is { "client": 1 to 127, "kind": "LLS" or "HLS", "column": …, "encoding": "hex", "base64" or "text" }';
  if (counter !== undefined && typeof counter !== "string") return "counter is a column";
  return { separator, encoding, fields, keys, secrets, counter } as unknown as Mapping;
}

/** The meter of a row, or what is wrong with it. No octets of a key are ever in what is said. */
export function mapped(row: SourceRow, mapping: Mapping, defaultHolders: readonly string[]): MappedMeter | string {
  try {
    return meterOf(row, mapping, defaultHolders);
  } catch (error) {
    if (error instanceof Unmappable) return error.message;
    throw error;
  }
}

class Unmappable extends Error {}

function meterOf(row: SourceRow, mapping: Mapping, defaultHolders: readonly string[]): MappedMeter {
  const field = (name: FieldName, fallback = "") => textOf(row, name, mapping.fields[name], fallback);
  const systemTitle = field("systemTitle")
    .replace(/[\s:-]/g, "")
    .toUpperCase();
  if (!/^[0-9A-F]{16}$/.test(systemTitle)) throw new Unmappable(`"${systemTitle}" is no system title of 16 hex digits`);
  const securitySuite = field("securitySuite", "0");
  if (!/^[012]$/.test(securitySuite)) throw new Unmappable(`security suite "${securitySuite}" is not 0, 1 or 2`);
  const keyBytes = securitySuite === "2" ? 32 : 16;
  const known = (Object.keys(KEYS) as KeyName[]).flatMap((name) => {
    const column = mapping.keys[name];
    const text = column === undefined ? "" : columnOf(row, column);
    return text === "" ? [] : [[KEYS[name], octetsOf(name, text, mapping.encoding, keyBytes)] as const];
  });
  const keys = Object.fromEntries(known) as KnownKeys & Partial<Record<string, Uint8Array>>;
  if (keys.globalUnicastEncryptionKey === undefined) throw new Unmappable("its GUEK is missing");
  const profile = field("profile");
  if (!/^[a-z0-9][a-z0-9.-]{0,31}$/.test(profile)) throw new Unmappable(`profile "${profile}" is no profile's id`);
  const [logicalDeviceName, serialNumber] = [field("logicalDeviceName"), field("serialNumber")];
  // The takeover compares both with what the meter says of itself, before it changes a key.
  if (keys.keyEncryptionKey !== undefined && (logicalDeviceName === "" || serialNumber === ""))
    throw new Unmappable("a meter with a master key needs a logicalDeviceName and a serialNumber");
  const holders = field("holders")
    .split("|")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const texts = [
    logicalDeviceName,
    serialNumber,
    field("model"),
    field("hardwareRevision"),
    field("firmware"),
  ] as const;
  if (texts.some((text) => text.length > 64)) throw new Unmappable("a text has more than 64 characters");
  return {
    meter: {
      systemTitle,
      logicalDeviceName,
      serialNumber,
      model: texts[2],
      hardwareRevision: texts[3],
      firmware: texts[4],
      profile,
      securitySuite: Number(securitySuite) as 0 | 1 | 2,
      holders: holders.length === 0 ? defaultHolders : holders,
    },
    keys,
    secrets: mapping.secrets.flatMap(({ client, kind, column, encoding }): ClientSecret[] => {
      const text = columnOf(row, column);
      if (text === "") return [];
      const octets = encoding === "text" ? new Uint8Array(Buffer.from(text, "utf8")) : octetsOf(kind, text, encoding);
      if (octets.length > 64) throw new Unmappable(`the ${kind} secret of client ${client} is too long`);
      return [{ purpose: kind === "LLS" ? 5 : 6, client, octets }];
    }),
    counter: mapping.counter === undefined ? undefined : counterOf(columnOf(row, mapping.counter)),
  };
}

function textOf(row: SourceRow, name: FieldName, source: FieldSource | undefined, fallback: string): string {
  if (source === undefined) return fallback;
  if (typeof source === "string") return columnOf(row, source);
  if ("value" in source) return source.value;
  const number = columnOf(row, source.number);
  if (!/^\d{1,18}$/.test(number)) throw new Unmappable(`${name}: "${number}" in ${source.number} is no number`);
  const digits = 2 * SYSTEM_TITLE_BYTES - source.prefix.length;
  const hex = BigInt(number).toString(16).toUpperCase();
  if (hex.length > digits) throw new Unmappable(`${name}: ${number} does not fit behind ${source.prefix}`);
  return source.prefix + hex.padStart(digits, "0");
}

function columnOf({ fields }: SourceRow, column: string): string {
  const text = fields.get(column);
  if (text === undefined) throw new Unmappable(`there is no "${column}"; there are ${[...fields.keys()].join(", ")}`);
  return text.trim();
}

function octetsOf(name: string, text: string, encoding: "hex" | "base64", length?: number): Uint8Array {
  const octets = Buffer.from(text, encoding);
  const isWhole = encoding === "hex" ? octets.length * 2 === text.length : octets.toString("base64") === text;
  if (!isWhole) throw new Unmappable(`its ${name} is not ${encoding}`);
  if (length !== undefined && octets.length !== length)
    throw new Unmappable(`its ${name} has ${octets.length} octets, and ${length} in its suite`);
  return new Uint8Array(octets);
}

function counterOf(text: string): number {
  const counter = Number(text);
  if (!/^\d{1,10}$/.test(text) || counter > 0xffff_fffe) throw new Unmappable(`"${text}" is no invocation counter`);
  return counter;
}

function isFieldSource(source: unknown): source is FieldSource {
  if (typeof source === "string") return true;
  if (!isObject(source)) return false;
  const { value, prefix, number, ...others } = source;
  if (Object.keys(others).length > 0) return false;
  if (typeof value === "string") return prefix === undefined && number === undefined;
  return typeof prefix === "string" && /^([0-9A-F]{2}){1,7}$/.test(prefix) && typeof number === "string";
}

function isSecret(secret: unknown): boolean {
  if (!isObject(secret)) return false;
  const { client, kind, column, encoding, ...others } = secret;
  const isClient = Number.isInteger(client) && (client as number) >= 1 && (client as number) <= 127;
  const isEncoding = encoding === "hex" || encoding === "base64" || encoding === "text";
  const isKind = kind === "LLS" || kind === "HLS";
  return isClient && isKind && isEncoding && typeof column === "string" && Object.keys(others).length === 0;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

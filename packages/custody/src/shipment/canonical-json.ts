import { ShipmentRefusal } from "./refusal.ts";

/** Says what is wrong with a value, or gives it its type. */
export type Field<T> = (value: unknown) => T | Wrong;

/** Why a value is not what its field wants. */
export class Wrong {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type ObjectOf<F extends Fields> = { readonly [K in keyof F]: Exclude<ReturnType<F[K]>, Wrong> };

/** Text of at most `max` characters. */
export function text(max: number): Field<string> {
  return (value) =>
    typeof value === "string" && value.length <= max ? value : new Wrong(`not a text of at most ${max} characters`);
}

/** Text that a pattern describes. */
export function matching(pattern: RegExp, what: string): Field<string> {
  return (value) => (typeof value === "string" && pattern.test(value) ? value : new Wrong(`not ${what}`));
}

/** Exactly this value. */
export function exactly<const T extends string | number>(wanted: T): Field<T> {
  return (value) => (value === wanted ? wanted : new Wrong(`not ${JSON.stringify(wanted)}`));
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number): Field<number> {
  return (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? (value as number)
      : new Wrong(`not a whole number from ${min} to ${max}`);
}

/** Base64url without padding, of at most `max` octets; non-canonical spellings are refused. */
export function base64url(max: number): Field<Uint8Array> {
  return (value) => {
    const octets = typeof value === "string" ? Buffer.from(value, "base64url") : Buffer.alloc(0);
    return octets.length <= max && octets.toString("base64url") === value
      ? new Uint8Array(octets)
      : new Wrong(`not base64url without padding of at most ${max} octets`);
  };
}

/** A list of at least one element. */
export function listOf<T>(element: Field<T>, max: number): Field<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length === 0 || value.length > max)
      return new Wrong(`not a list of 1 to ${max}`);
    const elements: T[] = [];
    for (const each of value) {
      const checked = element(each);
      if (checked instanceof Wrong) return checked;
      elements.push(checked);
    }
    return elements;
  };
}

/** An object with just these fields. */
export function object<F extends Fields>(fields: F): Field<ObjectOf<F>> {
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return new Wrong("not an object");
    const read: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(fields)) {
      const checked = field(Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined);
      if (checked instanceof Wrong) return new Wrong(`${name}: ${checked.why}`);
      read[name] = checked;
    }
    return read as ObjectOf<F>;
  };
}

/**
 * Reads one line: UTF-8, JSON, the fields asked for, and the very octets that `JSON.stringify` writes for these fields
 * in this order. The last rule refuses duplicate names, unknown fields, other spacing and other escapes at once.
 *
 * @throws ShipmentRefusal `shipment-malformed`, `shipment-not-canonical`.
 */
export function readLine<F extends Fields>(
  octets: Uint8Array,
  line: number,
  fields: F,
): { readonly value: ObjectOf<F>; readonly raw: Readonly<Record<keyof F, unknown>> } {
  const raw = parse(octets, line);
  const value = object(fields)(raw);
  if (value instanceof Wrong)
    throw new ShipmentRefusal("shipment-malformed", line, `line ${line}, ${value.why}`, {
      systemTitle: systemTitleOf(raw),
    });
  if (!Buffer.from(JSON.stringify(inOrder(raw, fields)), "utf8").equals(octets))
    throw new ShipmentRefusal(
      "shipment-not-canonical",
      line,
      `line ${line} is not written in the canonical form: just its fields, in their order, without spaces`,
      { systemTitle: systemTitleOf(raw) },
    );
  return { value, raw: raw as Record<keyof F, unknown> };
}

function parse(octets: Uint8Array, line: number): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets));
  } catch (cause) {
    throw new ShipmentRefusal("shipment-malformed", line, `line ${line} is not JSON in UTF-8`, { cause });
  }
}

function inOrder(raw: unknown, fields: Fields): Record<string, unknown> {
  const source = raw as Record<string, unknown>;
  return Object.fromEntries(Object.keys(fields).map((name) => [name, source[name]]));
}

function systemTitleOf(raw: unknown): string | undefined {
  const title = (raw as { systemTitle?: unknown } | null)?.systemTitle;
  return typeof title === "string" && /^[0-9A-F]{16}$/.test(title) ? title : undefined;
}

import { type Field, type FieldSet, type ObjectOf, object, parseJson, utf8Text, Wrong } from "@meterkeep/guard";
import { ShipmentRefusal } from "./refusal.ts";

/** Base64url without padding, of at most `max` octets; non-canonical spellings are refused. */
export function base64url(max: number): Field<Uint8Array> {
  return (value) => {
    const octets = typeof value === "string" ? Buffer.from(value, "base64url") : Buffer.alloc(0);
    return octets.length <= max && octets.toString("base64url") === value
      ? new Uint8Array(octets)
      : new Wrong(`not base64url without padding of at most ${max} octets`);
  };
}

/**
 * Reads one line: UTF-8, JSON, the fields asked for, and the very octets that `JSON.stringify` writes for these fields
 * in this order. The last rule refuses duplicate names, unknown fields, other spacing and other escapes at once.
 *
 * @throws ShipmentRefusal `shipment-malformed`, `shipment-not-canonical`.
 */
export function readLine<F extends FieldSet>(
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
  const written = utf8Text(octets);
  const raw = written instanceof Wrong ? written : parseJson(written);
  if (raw instanceof Wrong) throw new ShipmentRefusal("shipment-malformed", line, `line ${line} is not JSON in UTF-8`);
  return raw;
}

function inOrder(raw: unknown, fields: FieldSet): Record<string, unknown> {
  const source = raw as Record<string, unknown>;
  return Object.fromEntries(Object.keys(fields).map((name) => [name, source[name]]));
}

function systemTitleOf(raw: unknown): string | undefined {
  const title = (raw as { systemTitle?: unknown } | null)?.systemTitle;
  return typeof title === "string" && /^[0-9A-F]{16}$/.test(title) ? title : undefined;
}

import { GuardError } from "../errors.ts";
import { type Field, Wrong } from "./field.ts";

/**
 * The one form in which a document is hashed and signed: the octets that `JSON.stringify` writes for the declared fields in
 * their declared order, at every depth. It leaves no room for duplicate names, unknown fields, other spacing or other
 * escapes.
 */
export function writeCanonical<T>(field: Field<T>, value: T): string {
  const checked = field(value);
  if (checked instanceof Wrong) throw new GuardError("document-malformed", checked.why);
  return JSON.stringify(checked);
}

/** Reads a document: UTF-8, JSON, the fields asked for, in the canonical form. What is wrong with it is given, not thrown. */
export function readCanonical<T>(octets: Uint8Array | string, field: Field<T>): T | Wrong {
  const written = typeof octets === "string" ? octets : utf8Text(octets);
  if (written instanceof Wrong) return written;
  const raw = parseJson(written);
  if (raw instanceof Wrong) return raw;
  const value = field(raw);
  if (value instanceof Wrong) return value;
  return JSON.stringify(value) === written ? value : NOT_CANONICAL;
}

/** As `readCanonical`, for a document that must be right. @throws GuardError `document-malformed`. */
export function requireCanonical<T>(octets: Uint8Array | string, field: Field<T>, what: string): T {
  const value = readCanonical(octets, field);
  if (value instanceof Wrong) throw new GuardError("document-malformed", `${what}: ${value.why}`);
  return value as T;
}

/** Why a document is refused that says the right things in other octets. */
export const NOT_CANONICAL: Wrong = new Wrong(
  "not written in the canonical form: just its fields, in their order, without spaces",
);

/** Text as it stands in octets, refused where it is not UTF-8. */
export function utf8Text(octets: Uint8Array): string | Wrong {
  try {
    return DECODER.decode(octets);
  } catch {
    return new Wrong("not UTF-8");
  }
}

/** A JSON text as a value. */
export function parseJson(written: string): unknown {
  try {
    return JSON.parse(written);
  } catch {
    return new Wrong("not JSON");
  }
}

// Without state: it is never used to stream.
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

import { DlmsError } from "./errors.ts";

const HEX_DIGITS = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));

/** The empty octet string. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Writes octets as lower-case hex without separators. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const octet of bytes) text += HEX_DIGITS[octet];
  return text;
}

/**
 * Reads hex digits, upper or lower case; white space between them is skipped.
 *
 * @throws DlmsError `bad-hex` for an odd digit count or anything that is not a hex digit.
 */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, "");
  if (digits.length % 2 !== 0)
    throw new DlmsError("bad-hex", `hex text has an odd number of digits (${digits.length})`);
  const stray = digits.search(/[^0-9a-fA-F]/);
  if (stray >= 0) throw new DlmsError("bad-hex", `digit ${stray} of the hex text is not a hex digit`);
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16);
  return bytes;
}

/** Joins octet strings into a new one. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Compares octets that are not secret. Secrets and tags are compared in constant time by the platform's adapter. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}

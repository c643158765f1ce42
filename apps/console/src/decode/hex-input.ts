/** What people paste: hex with or without spaces, colons, commas, `0x`, line breaks, or a P1 telegram as text. Pure. */

export type PastedOctets =
  | { readonly kind: "octets"; readonly bytes: Uint8Array }
  | { readonly kind: "empty" }
  | { readonly kind: "unreadable"; readonly message: string };

export function readPasted(text: string): PastedOctets {
  const trimmed = text.trim();
  if (trimmed === "") return { kind: "empty" };
  if (trimmed.startsWith("/")) return { kind: "octets", bytes: new TextEncoder().encode(p1Text(trimmed)) };
  const digits = trimmed.replace(/0x/gi, "").replace(/[\s:,;.\-_]/g, "");
  const stranger = /[^0-9a-f]/i.exec(digits);
  if (stranger !== null)
    return {
      kind: "unreadable",
      message: `"${stranger[0]}" is no hex digit. Paste octets as hex, or a P1 telegram from its "/" to its "!".`,
    };
  if (digits.length % 2 === 1)
    return {
      kind: "unreadable",
      message: `${digits.length} hex digits are not whole octets: one is missing or too many.`,
    };
  return { kind: "octets", bytes: Uint8Array.from(digits.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16)) };
}

/** Browsers turn CR LF into LF in text fields; P1 telegrams, and their checksum, have CR LF. */
function p1Text(text: string): string {
  return `${text.replaceAll("\r\n", "\n").replaceAll("\n", "\r\n")}\r\n`;
}

export type PastedKey =
  | { readonly kind: "key"; readonly bytes: Uint8Array }
  | { readonly kind: "none" }
  | { readonly kind: "unreadable"; readonly message: string };

/** A key as hex: 32 digits, or 64 with suite 2. */
export function readKey(text: string): PastedKey {
  const digits = text.replace(/0x/gi, "").replace(/[\s:-]/g, "");
  if (digits === "") return { kind: "none" };
  if (!/^[0-9a-f]*$/i.test(digits)) return { kind: "unreadable", message: "A key is written in hex digits." };
  if (digits.length !== 32 && digits.length !== 64)
    return { kind: "unreadable", message: `This has ${digits.length} hex digits; a key has 32, or 64 with suite 2.` };
  return { kind: "key", bytes: Uint8Array.from(digits.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16)) };
}

import type { OctetForm } from "@meterkeep/api/key-service";

const PATTERNS: Readonly<Record<OctetForm, RegExp>> = {
  hex: /^(?:[0-9A-Fa-f]{2})*$/,
  base64: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
};

/** Octets as text: upper-case hex, or base64 with padding. */
export function octetsText(octets: Uint8Array, form: OctetForm): string {
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString(form);
  return form === "hex" ? text.toUpperCase() : text;
}

/** The octets of such a text; undefined where it is none. */
export function octetsOf(text: string, form: OctetForm): Uint8Array | undefined {
  return PATTERNS[form].test(text) ? new Uint8Array(Buffer.from(text, form)) : undefined;
}

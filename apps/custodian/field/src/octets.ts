/** Octets as the platform's own calls want them: in a buffer that nobody shares. */
export type Octets = Uint8Array<ArrayBuffer>;

/** Base64 of octets. */
export function toBase64(octets: ArrayBuffer | Uint8Array): string {
  return btoa(Array.from(new Uint8Array(octets), (octet) => String.fromCharCode(octet)).join(""));
}

/** Octets of base64. @throws DOMException for what is none */
export function fromBase64(text: string): Octets {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Octets of hex digits, an even number of them. */
export function fromHexText(text: string): Octets {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Lower-case hex digits of octets. */
export function toHexText(octets: ArrayBuffer): string {
  return Array.from(new Uint8Array(octets), (octet) => octet.toString(16).padStart(2, "0")).join("");
}

/** One after the other. */
export function joined(...parts: readonly (ArrayBuffer | Uint8Array)[]): Octets {
  const views = parts.map((part) => new Uint8Array(part));
  const whole = new Uint8Array(views.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const view of views) {
    whole.set(view, at);
    at += view.length;
  }
  return whole;
}

/** UTF-8. */
export function utf8(text: string): Octets {
  return Uint8Array.from(new TextEncoder().encode(text));
}

import { DlmsError } from "../errors.ts";

// The package compiles without the platform's TextDecoder, and most texts here are a dozen ASCII characters.

/** Octets `from` to `to` as ASCII, or undefined where one is above 127. */
export function decodeAscii(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = "";
  for (let at = from; at < to; at += 1) {
    const octet = bytes[at] as number;
    if (octet > 0x7f) return undefined;
    text += String.fromCharCode(octet);
  }
  return text;
}

/** Octets `from` to `to` as UTF-8 (RFC 3629: shortest forms, no surrogates), or undefined where malformed. */
export function decodeUtf8(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = "";
  let at = from;
  while (at < to) {
    const first = bytes[at] as number;
    at += 1;
    if (first < 0x80) {
      text += String.fromCharCode(first);
      continue;
    }
    const extra = first >= 0xf0 && first <= 0xf4 ? 3 : first >= 0xe0 ? 2 : first >= 0xc2 ? 1 : 0;
    if (extra === 0 || first > 0xf4 || extra > to - at) return undefined;
    let point = first & (0x3f >> extra);
    for (let index = 0; index < extra; index += 1) {
      const next = bytes[at + index] as number;
      if ((next & 0xc0) !== 0x80) return undefined;
      point = (point << 6) | (next & 0x3f);
    }
    at += extra;
    if (point < SHORTEST[extra]! || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return undefined;
    text += String.fromCodePoint(point);
  }
  return text;
}

const SHORTEST = [0, 0x80, 0x800, 0x10000] as const;

/** How many octets `text` takes as UTF-8. @throws DlmsError `bad-text` for a lone surrogate. */
export function utf8Length(text: string): number {
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) length += 1;
    else if (unit < 0x800) length += 2;
    else if (unit < 0xd800 || unit > 0xdfff) length += 3;
    else {
      const low = text.charCodeAt(at + 1);
      if (unit > 0xdbff || !(low >= 0xdc00 && low <= 0xdfff))
        throw new DlmsError("bad-text", `lone surrogate at character ${at}`);
      length += 4;
      at += 1;
    }
  }
  return length;
}

/** Writes `text` as UTF-8 at `at`; room for `utf8Length(text)` octets is the caller's. */
export function encodeUtf8Into(text: string, bytes: Uint8Array, at: number): void {
  let to = at;
  for (let index = 0; index < text.length; index += 1) {
    const point = text.codePointAt(index) as number;
    if (point < 0x80) {
      bytes[to++] = point;
    } else if (point < 0x800) {
      bytes[to++] = 0xc0 | (point >> 6);
      bytes[to++] = 0x80 | (point & 0x3f);
    } else if (point < 0x10000) {
      bytes[to++] = 0xe0 | (point >> 12);
      bytes[to++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[to++] = 0x80 | (point & 0x3f);
    } else {
      bytes[to++] = 0xf0 | (point >> 18);
      bytes[to++] = 0x80 | ((point >> 12) & 0x3f);
      bytes[to++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[to++] = 0x80 | (point & 0x3f);
      index += 1;
    }
  }
}

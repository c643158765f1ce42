import type { Codec } from "../codec/codec.ts";
import { DlmsError } from "../errors.ts";

/** Bits in wire order: bit 0 is the most significant of the first octet. Unused bits of the last octet are kept. */
export interface BitString {
  /** How many bits there are. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

/** Makes a bit string of a text of ones and zeros. @throws DlmsError `invalid-value` for any other character. */
export function bitString(text: string): BitString {
  if (!/^[01]*$/.test(text)) throw new DlmsError("invalid-value", `"${text}" is not a text of ones and zeros`);
  const bytes = new Uint8Array(Math.ceil(text.length / 8));
  for (let at = 0; at < text.length; at += 1) if (text[at] === "1") setBit(bytes, at);
  return { length: text.length, bytes };
}

/** Writes a bit string as a text of ones and zeros. */
export function bitStringText(bits: BitString): string {
  let text = "";
  for (let at = 0; at < bits.length; at += 1) text += hasBit(bits, at) ? "1" : "0";
  return text;
}

/** Whether bit `at` is set; a bit beyond the end is not. */
export function hasBit(bits: BitString, at: number): boolean {
  return at < bits.length && ((bits.bytes[at >> 3] as number) & (0x80 >> (at & 7))) !== 0;
}

/** Sets bit `at`, counted from the most significant bit of the first octet. */
export function setBit(bytes: Uint8Array, at: number): void {
  bytes[at >> 3] = (bytes[at >> 3] as number) | (0x80 >> (at & 7));
}

/** A count of bits, then as many octets as they need (A-XDR BIT STRING of variable length). */
export const bitStringOctets: Codec<BitString> = {
  shape: { type: "named", name: "bit-string" },
  encode(w, value) {
    if (value.bytes.length !== Math.ceil(value.length / 8))
      throw new DlmsError("wrong-length", `${value.length} bits do not fill ${value.bytes.length} octets`);
    w.length(value.length);
    w.octets(value.bytes);
  },
  decode(r) {
    const length = r.count();
    return { length, bytes: r.octets(Math.ceil(length / 8)) };
  },
};

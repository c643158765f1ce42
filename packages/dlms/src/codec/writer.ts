import { DlmsError } from "../errors.ts";
import { encodeUtf8Into, utf8Length } from "./text.ts";

/**
 * Writes big-endian values into octets that grow as needed.
 *
 * Values are range-checked here because DataView and typed arrays wrap silently: 256 would become 0 on the wire.
 */
export class Writer {
  #bytes: Uint8Array;
  #view: DataView | undefined;
  /** Octets written so far. */
  offset = 0;

  constructor(capacity = 64) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** What was written so far, in room of its own that nothing written later touches. */
  finish(): Uint8Array {
    return this.offset === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.offset);
  }

  unsigned8(value: number): void {
    checkInteger(value, 0, 0xff);
    const at = this.#room(1);
    this.#bytes[at] = value;
  }

  unsigned16(value: number): void {
    checkInteger(value, 0, 0xffff);
    this.#put16(value);
  }

  unsigned32(value: number): void {
    checkInteger(value, 0, 0xffffffff);
    this.#put32(value);
  }

  unsigned64(value: bigint): void {
    checkBig(value, 0n, 0xffffffffffffffffn);
    const at = this.#room(8);
    this.#viewed.setBigUint64(at, value);
  }

  integer8(value: number): void {
    checkInteger(value, -0x80, 0x7f);
    const at = this.#room(1);
    this.#bytes[at] = value;
  }

  integer16(value: number): void {
    checkInteger(value, -0x8000, 0x7fff);
    this.#put16(value);
  }

  integer32(value: number): void {
    checkInteger(value, -0x80000000, 0x7fffffff);
    this.#put32(value);
  }

  integer64(value: bigint): void {
    checkBig(value, -0x8000000000000000n, 0x7fffffffffffffffn);
    const at = this.#room(8);
    this.#viewed.setBigInt64(at, value);
  }

  /** IEEE 754 single precision; what does not fit is rounded, as the type says. */
  float32(value: number): void {
    const at = this.#room(4);
    this.#viewed.setFloat32(at, value);
  }

  float64(value: number): void {
    const at = this.#room(8);
    this.#viewed.setFloat64(at, value);
  }

  octets(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Length-prefixed octets. */
  lengthAndOctets(bytes: Uint8Array): void {
    this.length(bytes.length);
    this.octets(bytes);
  }

  /** Length-prefixed UTF-8. */
  lengthAndUtf8(text: string): void {
    const length = utf8Length(text);
    this.length(length);
    const at = this.#room(length);
    encodeUtf8Into(text, this.#bytes, at);
  }

  /** ASCII without a length. @throws DlmsError `bad-text` for a character above 127. */
  ascii(text: string): void {
    this.#characters(text, 0x7f, "ASCII");
  }

  /** Latin-1 without a length. @throws DlmsError `bad-text` for a character above 255. */
  latin1(text: string): void {
    this.#characters(text, 0xff, "Latin-1");
  }

  /** A length or count in its shortest form. */
  length(value: number): void {
    const at = this.#room(lengthOctets(value));
    writeLength(this.#bytes, at, value);
  }

  /** Starts a field whose length is known only at its end; give the result to `closeField`. */
  openField(): number {
    this.#room(1);
    return this.offset;
  }

  /** Puts the length before the field, moving its octets when the length takes more than one. */
  closeField(start: number): void {
    const length = this.offset - start;
    const extra = lengthOctets(length) - 1;
    if (extra > 0) {
      this.#room(extra);
      this.#bytes.copyWithin(start + extra, start, start + length);
    }
    this.offset = start - 1;
    this.length(length);
    this.offset += length;
  }

  #characters(text: string, max: number, charset: string): void {
    const at = this.#room(text.length);
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      if (unit > max) throw new DlmsError("bad-text", `character ${index} is not ${charset}`);
      this.#bytes[at + index] = unit;
    }
  }

  #put16(value: number): void {
    const at = this.#room(2);
    const b = this.#bytes;
    b[at] = value >> 8;
    b[at + 1] = value;
  }

  #put32(value: number): void {
    const at = this.#room(4);
    const b = this.#bytes;
    b[at] = value >>> 24;
    b[at + 1] = value >>> 16;
    b[at + 2] = value >>> 8;
    b[at + 3] = value;
  }

  #room(count: number): number {
    const at = this.offset;
    const wanted = at + count;
    if (wanted > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(wanted, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = undefined;
    }
    this.offset = wanted;
    return at;
  }

  get #viewed(): DataView {
    this.#view ??= new DataView(this.#bytes.buffer);
    return this.#view;
  }
}

/** Writes a length or count at `at`, in its shortest form. */
export function writeLength(out: Uint8Array, at: number, value: number): void {
  const octets = lengthOctets(value) - 1;
  if (octets === 0) {
    out[at] = value;
    return;
  }
  out[at] = 0x80 | octets;
  for (let index = octets; index > 0; index -= 1) out[at + index] = Math.floor(value / 256 ** (octets - index)) % 256;
}

/** Octets that a length or count takes in its shortest form. */
export function lengthOctets(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x100) return 2;
  if (value < 0x10000) return 3;
  if (value < 0x1000000) return 4;
  return 5;
}

function checkInteger(value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new DlmsError("out-of-range", `${value} is not a whole number from ${min} to ${max}`);
}

function checkBig(value: bigint, min: bigint, max: bigint): void {
  if (typeof value !== "bigint" || value < min || value > max)
    throw new DlmsError("out-of-range", `${value} is not a bigint from ${min} to ${max}`);
}

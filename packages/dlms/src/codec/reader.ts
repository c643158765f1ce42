import { DecodeError, type DlmsErrorCode } from "../errors.ts";
import { decodeAscii, decodeUtf8 } from "./text.ts";

/** How deep values may nest: the deepest real COSEM value seen has 6 levels. */
export const MAX_DEPTH = 16;

/**
 * Reads big-endian values from octets it does not own.
 *
 * Every read is checked against the octets left; octet strings are views into the input, not copies, so a caller that
 * keeps one keeps the input alive and sees later changes to it.
 */
export class Reader {
  /** The octets being read. */
  readonly bytes: Uint8Array;
  /** The next octet to read. */
  offset: number;
  /** Where reading stops; lowered inside a length-delimited field. */
  end: number;
  #depth = 0;
  #view: DataView | undefined;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = start;
    this.end = end;
  }

  /** Octets left before the end of the current field. */
  get remaining(): number {
    return this.end - this.offset;
  }

  /** Throws a `DecodeError` at `offset` (the current one unless told). */
  fail(code: DlmsErrorCode, detail?: string, offset = this.offset): never {
    throw new DecodeError(code, offset, detail);
  }

  /** Returns the offset of `count` octets and moves past them. */
  take(count: number): number {
    const at = this.offset;
    if (count > this.end - at) this.fail("truncated", `${count} octets wanted, ${this.end - at} left`);
    this.offset = at + count;
    return at;
  }

  unsigned8(): number {
    return this.bytes[this.take(1)] as number;
  }

  unsigned16(): number {
    const at = this.take(2);
    const b = this.bytes;
    return ((b[at] as number) << 8) | (b[at + 1] as number);
  }

  unsigned32(): number {
    const at = this.take(4);
    const b = this.bytes;
    return (
      (b[at] as number) * 0x1000000 +
      (((b[at + 1] as number) << 16) | ((b[at + 2] as number) << 8) | (b[at + 3] as number))
    );
  }

  unsigned64(): bigint {
    return this.#viewed.getBigUint64(this.take(8));
  }

  integer8(): number {
    return (this.unsigned8() << 24) >> 24;
  }

  integer16(): number {
    return (this.unsigned16() << 16) >> 16;
  }

  integer32(): number {
    return this.unsigned32() | 0;
  }

  integer64(): bigint {
    return this.#viewed.getBigInt64(this.take(8));
  }

  float32(): number {
    return this.#viewed.getFloat32(this.take(4));
  }

  float64(): number {
    return this.#viewed.getFloat64(this.take(8));
  }

  /** A view of the next `count` octets. */
  octets(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.subarray(at, at + count);
  }

  /** The next `count` octets as UTF-8; malformed sequences are refused. */
  utf8(count: number): string {
    const at = this.take(count);
    return decodeUtf8(this.bytes, at, at + count) ?? this.fail("bad-text", "not UTF-8", at);
  }

  /** The next `count` octets as ASCII; octets above 127 are refused. */
  ascii(count: number): string {
    const at = this.take(count);
    return decodeAscii(this.bytes, at, at + count) ?? this.fail("bad-text", "not ASCII", at);
  }

  /** The next `count` octets as Latin-1: every octet is the character of that number, so nothing is refused or lost. */
  latin1(count: number): string {
    const at = this.take(count);
    let text = "";
    for (let index = at; index < at + count; index += 1) text += String.fromCharCode(this.bytes[index] as number);
    return text;
  }

  /**
   * A-XDR and BER length: below 128 the octet itself, else 0x81 to 0x84 and that many octets. Longer forms than needed
   * are accepted (meters send them); a length over the octets left is refused here, before anything is allocated.
   */
  length(): number {
    const at = this.offset;
    const length = this.count();
    if (length > this.end - this.offset)
      this.fail("truncated", `length ${length} with ${this.end - this.offset} octets left`, at);
    return length;
  }

  /** A count of elements or bits, encoded like a length but measured by the caller. */
  count(): number {
    const at = this.offset;
    const first = this.unsigned8();
    if (first < 0x80) return first;
    const octets = first & 0x7f;
    if (octets === 0 || octets > 4) this.fail("wrong-length", `length form 0x${first.toString(16)}`, at);
    let value = 0;
    for (let index = 0; index < octets; index += 1) value = value * 256 + this.unsigned8();
    return value;
  }

  /** A count of elements that each take at least `bytesEach` octets; refused when they cannot all be there. */
  elements(bytesEach = 1, max = Number.POSITIVE_INFINITY): number {
    const at = this.offset;
    const count = this.count();
    if (count > max) this.fail("too-many", `${count} elements, at most ${max} allowed`, at);
    if (count * bytesEach > this.end - this.offset)
      this.fail("too-many", `${count} elements with ${this.end - this.offset} octets left`, at);
    return count;
  }

  /** Goes one level deeper; refused beyond `MAX_DEPTH`. Pair with `leave`. */
  enter(): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.fail("too-deep", `more than ${MAX_DEPTH} levels`);
  }

  leave(): void {
    this.#depth -= 1;
  }

  /** Lowers `end` to `length` octets from here and returns the former end, to be given to `closeField`. */
  openField(length: number): number {
    if (length > this.end - this.offset)
      this.fail("truncated", `${length} octets wanted, ${this.end - this.offset} left`);
    const outer = this.end;
    this.end = this.offset + length;
    return outer;
  }

  /** Ends a length-delimited field; octets left over in it are refused. */
  closeField(outerEnd: number): void {
    if (this.offset !== this.end) this.fail("trailing-bytes", `${this.end - this.offset} octets after the value`);
    this.end = outerEnd;
  }

  get #viewed(): DataView {
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    return this.#view;
  }
}

import { type Codec, c, DecodeError, type Reader, type Shape, type Writer } from "@meterkeep/dlms";

/** The identifier octets of ASN.1's universal types (ITU-T X.690 clause 8). */
export const TAGS = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** A codec of one ASN.1 value in DER. */
export interface Asn1<T> extends Codec<T> {
  /** The identifier octets such a value can begin with; undefined for any. Decides whether an optional field is there. */
  readonly tags: readonly number[] | undefined;
  /** What stands after tag and length, for types that have a tag of their own: lets the tag be replaced (IMPLICIT). */
  readonly content?: Codec<T>;
}

/** A tag, a length in its shortest form, and content that fills it. */
export function element<T>(tag: number, name: string, content: Codec<T>): Asn1<T> {
  return {
    tags: [tag],
    content,
    shape: { type: "framed", name, of: content.shape },
    encode(w, value) {
      w.unsigned8(tag);
      const start = w.openField();
      content.encode(w, value);
      w.closeField(start);
    },
    decode(r) {
      const at = r.offset;
      const found = r.unsigned8();
      if (found !== tag) r.fail("unknown-tag", `${hex(found)} where ${name} (${hex(tag)}) belongs`, at);
      const outer = r.openField(readLength(r));
      const value = content.decode(r);
      r.closeField(outer);
      return value;
    },
  };
}

/** The same octets with another value made of them; what `convert` throws becomes a `DecodeError`. */
export function map<Wire, T>(
  name: string,
  of: Asn1<Wire>,
  convert: { decode(wire: Wire): T; encode(value: T): Wire },
): Asn1<T> {
  const mapped = c.map(name, of, convert);
  return { ...mapped, tags: of.tags, ...(of.content && { content: c.map(name, of.content, convert) }) };
}

/** Any one value: its octets with tag and length, and nothing of it understood. */
export const any: Asn1<Uint8Array> = {
  tags: undefined,
  shape: { type: "named", name: "any ASN.1 value" },
  encode: (w, value) => w.octets(value),
  decode(r) {
    const start = r.offset;
    skip(r);
    return r.bytes.subarray(start, r.offset);
  },
};

/** One of several values, told apart by their tags; the first that fits. */
export function oneOf<T>(name: string, alternatives: readonly Asn1<T>[], which: (value: T) => number): Asn1<T> {
  const shape: Shape = {
    type: "choice",
    variants: alternatives.map((alternative, at) => ({ kind: String(at), shape: alternative.shape })),
  };
  return {
    tags: alternatives.flatMap(({ tags }) => tags ?? []),
    shape,
    encode: (w, value) => alternatives[which(value)]!.encode(w, value),
    decode(r: Reader) {
      const tag = peekTag(r);
      const found = alternatives.find(({ tags }) => tag !== undefined && tags?.includes(tag));
      if (found === undefined)
        r.fail(
          tag === undefined ? "truncated" : "unknown-tag",
          `${tag === undefined ? "nothing" : hex(tag)} where ${name} belongs`,
        );
      return found.decode(r);
    },
  };
}

/** The identifier octet that comes next; undefined at the end of the field. */
export function peekTag(r: Reader): number | undefined {
  return r.remaining > 0 ? r.bytes[r.offset] : undefined;
}

/** A definite length in its shortest form (X.690 clause 10.1), within the octets left. */
function readLength(r: Reader): number {
  const at = r.offset;
  if (r.remaining === 0) r.fail("truncated", "a length is missing", at);
  const first = r.bytes[at]!;
  if (first === 0x80) r.fail("wrong-length", "an indefinite length is not DER", at);
  const length = r.length();
  const octets = r.offset - at;
  const shortest = length < 0x80 ? 1 : 1 + Math.ceil((32 - Math.clz32(length)) / 8);
  if (octets !== shortest) r.fail("wrong-length", `the length takes ${octets} octets, ${shortest} are enough`, at);
  return length;
}

function skip(r: Reader): void {
  const at = r.offset;
  const tag = r.unsigned8();
  if ((tag & 0x1f) === 0x1f) r.fail("unknown-tag", "tag numbers above 30 are not used in certificates", at);
  r.take(readLength(r));
}

/** The octets of `value` alone, for what is signed as it was received. */
export function decodeWithOctets<T>(codec: Codec<T>): Codec<{ readonly value: T; readonly octets: Uint8Array }> {
  return {
    shape: codec.shape,
    encode: (w: Writer, { octets }) => w.octets(octets),
    decode(r) {
      const start = r.offset;
      const value = codec.decode(r);
      return { value, octets: r.bytes.subarray(start, r.offset) };
    },
  };
}

export function hex(tag: number): string {
  return `0x${tag.toString(16).padStart(2, "0")}`;
}

/** Puts the field's name before the path of a decode error on its way out. */
export function named(error: unknown, field: string | number): unknown {
  return error instanceof DecodeError ? error.within(field) : error;
}

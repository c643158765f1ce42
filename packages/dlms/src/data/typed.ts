import type { Codec, Infer } from "../codec/codec.ts";
import {
  type EnumerationValues,
  enumeration as namesOf,
  openEnumeration as openNamesOf,
} from "../codec/enumeration.ts";
import { type FlagBits, flags as flagsOf } from "../codec/flags.ts";
import { map as mapCodec } from "../codec/mapped.ts";
import type { Reader } from "../codec/reader.ts";
import { decodeElements } from "../codec/sequence.ts";
import { minimumBytes, type Shape } from "../codec/shape.ts";
import { type Fields, type StructOf, struct } from "../codec/struct.ts";
import { DlmsError, within } from "../errors.ts";
import { type BitString, bitStringOctets, hasBit, setBit } from "./bit-string.ts";
import { dataTypeOf } from "./data.ts";
import { DATA_TAGS, type DataType } from "./value.ts";

/** A codec for COSEM Data of known types that goes straight between the wire and plain TypeScript values. */
export interface DataCodec<T> extends Codec<T> {
  /** The tag octets it can start with. */
  readonly tags: readonly number[];
}

/** One type of Data: its tag, then `content`. Any other tag is refused as `wrong-type`. */
export function tagged<T>(type: DataType, content: Codec<T>): DataCodec<T> {
  const tag = DATA_TAGS[type];
  return {
    tags: [tag],
    shape: { type: "tagged", name: type, tag, of: content.shape },
    encode(w, value) {
      w.unsigned8(tag);
      content.encode(w, value);
    },
    decode(r) {
      expectTag(r, tag, type);
      return content.decode(r);
    },
  };
}

/** A structure of exactly these fields, as an object. */
export function structure<F extends Fields>(fields: F): DataCodec<StructOf<F>> {
  const body = struct(fields);
  const count = Object.keys(fields).length;
  return tagged("structure", {
    shape: body.shape,
    encode(w, value) {
      w.length(count);
      body.encode(w, value);
    },
    decode(r) {
      const at = r.offset;
      const sent = r.elements();
      if (sent !== count) r.fail("wrong-length", `structure of ${sent} fields where ${count} belong`, at);
      r.enter();
      const value = body.decode(r);
      r.leave();
      return value;
    },
  });
}

/** An array of items of one kind, at most `max` of them where given. */
export function array<T>(item: Codec<T>, limits: { readonly max?: number } = {}): DataCodec<readonly T[]> {
  const bytesEach = Math.max(1, minimumBytes(item.shape));
  return tagged("array", {
    shape: { type: "sequence", of: item.shape, ...limits },
    encode(w, values) {
      if (values.length > (limits.max ?? Number.POSITIVE_INFINITY))
        throw new DlmsError("too-many", `${values.length} elements, at most ${limits.max} allowed`);
      w.length(values.length);
      let at = 0;
      try {
        for (; at < values.length; at += 1) item.encode(w, values[at] as T);
      } catch (error) {
        throw within(error, at);
      }
    },
    decode(r) {
      const count = r.elements(bytesEach, limits.max);
      r.enter();
      const values = decodeElements(r, item, count);
      r.leave();
      return values;
    },
  });
}

type DataVariants = Readonly<Record<string, DataCodec<unknown>>>;

/** The value of a choice between Data types. */
export type DataChoiceOf<V extends DataVariants> = {
  [K in keyof V & string]: { readonly kind: K; readonly value: Infer<V[K]> };
}[keyof V & string];

/** One of several types, told apart by the tag: `{ kind, value }`. Where two share a tag the first one reads it. */
export function choice<V extends DataVariants>(variants: V): DataCodec<DataChoiceOf<V>> {
  const kinds = Object.entries(variants);
  const byTag: (readonly [string, DataCodec<unknown>] | undefined)[] = [];
  for (const variant of kinds) for (const tag of variant[1].tags) byTag[tag] ??= variant;
  return {
    tags: kinds.flatMap(([, codec]) => codec.tags),
    shape: { type: "choice", variants: kinds.map(([kind, { shape }]) => ({ kind, shape })) },
    encode(w, value) {
      const codec = variants[value.kind];
      if (codec === undefined) throw new DlmsError("unknown-value", `no variant "${value.kind}" in this choice`);
      codec.encode(w, value.value);
    },
    decode(r) {
      const variant = byTag[peekTag(r)];
      if (variant === undefined) return wrongType(r, kinds.map(([kind]) => kind).join(" or "));
      try {
        return { kind: variant[0], value: variant[1].decode(r) } as DataChoiceOf<V>;
      } catch (error) {
        throw within(error, variant[0]);
      }
    },
  };
}

/** null-data as `null`, or the value of `codec`. */
export function nullable<T>(codec: DataCodec<T>): DataCodec<T | null> {
  return {
    tags: [DATA_TAGS["null-data"], ...codec.tags],
    shape: { type: "nullable", of: codec.shape },
    encode(w, value) {
      if (value === null) w.unsigned8(DATA_TAGS["null-data"]);
      else codec.encode(w, value);
    },
    decode(r) {
      if (peekTag(r) !== DATA_TAGS["null-data"]) return codec.decode(r);
      r.take(1);
      return null;
    },
  };
}

/** An `enum` (tag 22) as one of the names. */
export function enumeration<const V extends EnumerationValues>(values: V): DataCodec<keyof V & string> {
  return tagged("enum", namesOf(values));
}

/** An `enum` whose unnamed numbers pass as numbers. */
export function openEnumeration<const V extends EnumerationValues>(values: V): DataCodec<(keyof V & string) | number> {
  return tagged("enum", openNamesOf(values));
}

/**
 * Bits of a number as the list of the names set; bit 0 is the least significant. `carrier` is the Data type that holds
 * them, normally `d.enum`.
 */
export function bits<const B extends FlagBits>(
  names: B,
  carrier: DataCodec<number>,
): DataCodec<readonly (keyof B & string)[]> {
  return { tags: carrier.tags, ...flagsOf(names, carrier) };
}

/** A bit-string of `length` bits as the list of the names set; bit 0 is the first one. Unnamed bits are dropped. */
export function bitFlags<const B extends FlagBits>(names: B, length: number): DataCodec<readonly (keyof B & string)[]> {
  type Name = keyof B & string;
  const entries = Object.entries(names) as [Name, number][];
  const content = mapCodec<BitString, readonly Name[]>("named bits", bitStringOctets, {
    encode(set) {
      const bytes = new Uint8Array(Math.ceil(length / 8));
      for (const name of set) {
        const bit = names[name];
        if (bit === undefined) throw new DlmsError("unknown-value", `"${name}" is not one of these bits`);
        setBit(bytes, bit);
      }
      return { length, bytes };
    },
    decode: (value) => entries.filter(([, bit]) => hasBit(value, bit)).map(([name]) => name),
  });
  const shape: Shape = { type: "flags", bits: names };
  return tagged("bit-string", { ...content, shape });
}

/** A value of another type on top of a data codec; see `c.map`. */
export function map<Wire, T>(
  name: string,
  codec: DataCodec<Wire>,
  convert: { decode(wire: Wire): T; encode(value: T): Wire },
): DataCodec<T> {
  return { tags: codec.tags, ...mapCodec(name, codec, convert) };
}

/** The next tag without moving past it. */
export function peekTag(r: Reader): number {
  const tag = r.unsigned8();
  r.offset -= 1;
  return tag;
}

/** Refuses the tag at the reader's offset. */
export function wrongType(r: Reader, wanted: string): never {
  const tag = peekTag(r);
  return r.fail("wrong-type", `${dataTypeOf(tag) ?? `tag 0x${tag.toString(16)}`} where ${wanted} belongs`);
}

function expectTag(r: Reader, tag: number, type: string): void {
  if (peekTag(r) !== tag) wrongType(r, type);
  r.offset += 1;
}

import type { Codec } from "../codec/codec.ts";
import { map } from "../codec/mapped.ts";
import type { Reader } from "../codec/reader.ts";
import { restBytes, unsigned8 } from "../codec/scalars.ts";
import type { Shape } from "../codec/shape.ts";
import type { StructOf } from "../codec/struct.ts";
import { DlmsError, within } from "../errors.ts";

/** One field of a BER sequence: its tag octet and what stands in it. */
export interface BerField<T> {
  readonly tag: number;
  readonly codec: Codec<T>;
  readonly isRequired: boolean;
}

/** A field that must be there. */
export function required<T>(tag: number, codec: Codec<T>): BerField<T> {
  return { tag, codec, isRequired: true };
}

/** A field that may be missing. */
export function optional<T>(tag: number, codec: Codec<T>): BerField<T | undefined> {
  return { tag, codec: codec as Codec<T | undefined>, isRequired: false };
}

type BerFields = Readonly<Record<string, BerField<unknown>>>;
type SequenceOf<F extends BerFields> = StructOf<{ readonly [K in keyof F]: F[K]["codec"] }>;

/**
 * A BER sequence without its own tag: a length and fields in their order, each with tag and length.
 *
 * With `lengths: "repaired"` too small a length of the sequence or of its last field is read as "up to the end": widely
 * used servers count the ones around user-information of an RLRE too short. What stands inside must then still fit exactly.
 */
export function sequence<F extends BerFields>(
  fields: F,
  options: { readonly lengths?: "exact" | "repaired" } = {},
): Codec<SequenceOf<F>> {
  const entries = Object.entries(fields);
  const repairs = options.lengths === "repaired";
  const lastTag = entries.at(-1)?.[1].tag;
  const shape: Shape = {
    type: "struct",
    fields: entries.map(([name, { codec, isRequired }]) => ({
      name,
      shape: isRequired ? codec.shape : { type: "optional", of: codec.shape },
    })),
  };
  return {
    shape: { type: "framed", name: "length", of: shape },
    encode(w, value) {
      const source = value as Readonly<Record<string, unknown>>;
      const start = w.openField();
      for (const [name, field] of entries) {
        const part = source[name];
        if (part === undefined && !field.isRequired) continue;
        try {
          w.unsigned8(field.tag);
          const fieldStart = w.openField();
          field.codec.encode(w, part);
          w.closeField(fieldStart);
        } catch (error) {
          throw within(error, name);
        }
      }
      w.closeField(start);
    },
    decode(r) {
      const outer = r.openField(repairs ? repairedLength(r) : r.length());
      const value: Record<string, unknown> = {};
      let next = 0;
      while (r.remaining > 0) {
        const tag = r.unsigned8();
        const at = entries.findIndex(([, field], index) => index >= next && field.tag === tag);
        if (at < 0)
          r.fail("unknown-tag", `field 0x${tag.toString(16)} is unknown, repeated or out of order`, r.offset - 1);
        refuseGap(r, entries.slice(next, at));
        const [name, field] = entries[at]!;
        try {
          const sequenceEnd = r.openField(repairs && tag === lastTag ? repairedLength(r) : r.length());
          value[name] = field.codec.decode(r);
          r.closeField(sequenceEnd);
        } catch (error) {
          throw within(error, name);
        }
        next = at + 1;
      }
      refuseGap(r, entries.slice(next));
      r.closeField(outer);
      return value as SequenceOf<F>;
    },
  };
}

/** A tag, a length and one value of `codec` that fills it. */
export function element<T>(tag: number, codec: Codec<T>): Codec<T> {
  return {
    shape: { type: "framed", name: `tag 0x${tag.toString(16)} and length`, of: codec.shape },
    encode(w, value) {
      w.unsigned8(tag);
      const start = w.openField();
      codec.encode(w, value);
      w.closeField(start);
    },
    decode(r) {
      const at = r.offset;
      const found = r.unsigned8();
      if (found !== tag) r.fail("unknown-tag", `0x${found.toString(16)} where 0x${tag.toString(16)} belongs`, at);
      const outer = r.openField(r.length());
      const value = codec.decode(r);
      r.closeField(outer);
      return value;
    },
  };
}

/** OCTET STRING. */
export const octetString: Codec<Uint8Array> = element(0x04, restBytes);

/** INTEGER of one octet. */
export function integer<T>(codec: Codec<T>): Codec<T> {
  return element(0x02, codec);
}

/** INTEGER that fits an unsigned octet. */
export const smallInteger: Codec<number> = integer(unsigned8);

/** The content of a BIT STRING of one bit: `07 80` when it is set. */
export const oneBit: Codec<boolean> = map("one bit", restBytes, {
  decode(octets) {
    if (octets.length !== 2) throw new DlmsError("wrong-length", "one bit takes two octets");
    return ((octets[1] as number) & 0x80) !== 0;
  },
  encode: (bit) => Uint8Array.of(7, bit ? 0x80 : 0),
});

/** A length that may count too little: up to the end. One that counts more than there is tells of a cut message. */
function repairedLength(r: Reader): number {
  r.length();
  return r.remaining;
}

function refuseGap(r: Reader, skipped: readonly (readonly [string, BerField<unknown>])[]): void {
  for (const [name, field] of skipped) if (field.isRequired) r.fail("truncated", `${name} is missing`);
}

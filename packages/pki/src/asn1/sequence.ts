import type { Reader, Shape } from "@meterkeep/dlms";
import { type Asn1, element, named, peekTag, TAGS } from "./element.ts";

/** A field of a SEQUENCE that may be missing; with a standard value, missing means that value, as DER demands. */
export interface OptionalField<T> {
  readonly of: Asn1<T>;
  readonly isOptional: true;
  readonly standard?: T;
}

type Fields = Readonly<Record<string, Asn1<unknown> | OptionalField<unknown>>>;

type ValueOf<F> = F extends Asn1<infer T> ? T : F extends OptionalField<infer T> ? T : never;
type MayMiss<F extends Fields> = {
  [K in keyof F]: F[K] extends { readonly standard: unknown }
    ? never
    : F[K] extends { readonly isOptional: true }
      ? K
      : never;
}[keyof F];

/** The value of a SEQUENCE: an optional field without a standard value is absent when it was missing. */
export type SequenceOf<F extends Fields> = {
  readonly [K in Exclude<keyof F, MayMiss<F>>]: ValueOf<F[K]>;
} & { readonly [K in MayMiss<F>]?: ValueOf<F[K]> };

/** OPTIONAL. */
export function optional<T>(of: Asn1<T>): { readonly of: Asn1<T>; readonly isOptional: true } {
  return { of, isOptional: true };
}

/** DEFAULT: a field that has its standard value is not written, and refused where it was. */
export function withDefault<T extends string | number | boolean>(
  of: Asn1<T>,
  standard: T,
): { readonly of: Asn1<T>; readonly isOptional: true; readonly standard: T } {
  return { of, isOptional: true, standard };
}

/** SEQUENCE: fields in their order. `tag` for one with an IMPLICIT tag. */
export function sequence<F extends Fields>(name: string, fields: F, tag: number = TAGS.sequence): Asn1<SequenceOf<F>> {
  const entries = Object.entries(fields).map(([field, declared]) => {
    const isOptional = "isOptional" in declared;
    const standard = isOptional ? (declared as OptionalField<unknown>).standard : undefined;
    return { field, isOptional, standard, codec: (isOptional ? declared.of : declared) as Asn1<unknown> };
  });
  const shape: Shape = {
    type: "struct",
    fields: entries.map(({ field, codec, isOptional }) => ({
      name: field,
      shape: isOptional ? { type: "optional", of: codec.shape } : codec.shape,
    })),
  };
  return element(tag, name, {
    shape,
    encode(w, value) {
      const source = value as Readonly<Record<string, unknown>>;
      for (const { field, codec, isOptional, standard } of entries) {
        const part = source[field];
        if (isOptional && (part === undefined || part === standard)) continue;
        codec.encode(w, part);
      }
    },
    decode(r) {
      const value: Record<string, unknown> = {};
      for (const { field, codec, isOptional, standard } of entries) {
        if (isOptional && !isNext(r, codec)) {
          if (standard !== undefined) value[field] = standard;
          continue;
        }
        const at = r.offset;
        try {
          value[field] = codec.decode(r);
          if (isOptional && value[field] === standard && standard !== undefined)
            r.fail("wrong-value", "the standard value is not written in DER", at);
        } catch (error) {
          throw named(error, field);
        }
      }
      return value as SequenceOf<F>;
    },
  });
}

/** SEQUENCE OF, with at least `min` and at most `max` elements. */
export function sequenceOf<T>(
  of: Asn1<T>,
  limits: { readonly min?: number; readonly max?: number } = {},
  tag: number = TAGS.sequence,
): Asn1<readonly T[]> {
  const { min = 0, max = 1024 } = limits;
  return element(tag, "sequence", {
    shape: { type: "sequence", of: of.shape, max },
    encode(w, values) {
      for (const value of values) of.encode(w, value);
    },
    decode(r) {
      const values: T[] = [];
      while (r.remaining > 0) {
        if (values.length === max) r.fail("too-many", `more than ${max} elements`);
        try {
          values.push(of.decode(r));
        } catch (error) {
          throw named(error, values.length);
        }
      }
      if (values.length < min) r.fail("truncated", `${values.length} elements, at least ${min} belong here`);
      return values;
    },
  });
}

/** SET OF with exactly one element, as relative names in certificates have. */
export function setOfOne<T>(of: Asn1<T>): Asn1<T> {
  return element(TAGS.set, "set", of);
}

/** `[number] EXPLICIT`. */
export function explicit<T>(number: number, of: Asn1<T>): Asn1<T> {
  return element(0xa0 | number, `[${number}]`, of);
}

/** `[number] IMPLICIT`: the value's own tag is replaced, its form (primitive or constructed) stays. */
export function implicit<T>(number: number, of: Asn1<T>): Asn1<T> {
  const [own] = of.tags ?? [];
  if (of.content === undefined || own === undefined)
    throw new TypeError("this value has no tag that could be replaced");
  return element(0x80 | (own & 0x20) | number, `[${number}]`, of.content);
}

function isNext(r: Reader, codec: Asn1<unknown>): boolean {
  const tag = peekTag(r);
  return tag !== undefined && (codec.tags === undefined || codec.tags.includes(tag));
}

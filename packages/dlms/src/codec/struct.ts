import { within } from "../errors.ts";
import type { Codec, Infer, Simplify } from "./codec.ts";
import type { Reader } from "./reader.ts";

/** The fields of a struct in wire order. Names that look like array indices would be reordered: do not use them. */
export type Fields = Readonly<Record<string, Codec<unknown>>>;

type OptionalNames<F extends Fields> = {
  [K in keyof F]: undefined extends Infer<F[K]> ? K : never;
}[keyof F];

/** The value of a struct: a field whose codec may give `undefined` is an optional property, absent when undefined. */
export type StructOf<F extends Fields> = Simplify<
  { readonly [K in Exclude<keyof F, OptionalNames<F>>]: Infer<F[K]> } & {
    readonly [K in OptionalNames<F>]?: Infer<F[K]>;
  }
>;

/** Fields one after the other, without anything between them (SEQUENCE). */
export function struct<F extends Fields>(fields: F): Codec<StructOf<F>> {
  const names = Object.keys(fields);
  const codecs = Object.values(fields);
  const count = names.length;
  return {
    shape: { type: "struct", fields: names.map((name, at) => ({ name, shape: codecs[at]!.shape })) },
    encode(w, value) {
      const source = value as Readonly<Record<string, unknown>>;
      let at = 0;
      try {
        for (; at < count; at += 1) codecs[at]!.encode(w, source[names[at]!]);
      } catch (error) {
        throw within(error, names[at]!);
      }
    },
    decode(r) {
      const value: Record<string, unknown> = {};
      let at = 0;
      try {
        for (; at < count; at += 1) {
          const field = codecs[at]!.decode(r);
          if (field !== undefined) value[names[at]!] = field;
        }
      } catch (error) {
        throw within(error, names[at]!);
      }
      return value as StructOf<F>;
    },
  };
}

/** A presence octet, 00 or 01, then the value when present (OPTIONAL). */
export function optional<T>(codec: Codec<T>): Codec<T | undefined> {
  return {
    shape: { type: "optional", of: codec.shape },
    encode(w, value) {
      w.unsigned8(value === undefined ? 0 : 1);
      if (value !== undefined) codec.encode(w, value);
    },
    decode(r) {
      return isPresent(r) ? codec.decode(r) : undefined;
    },
  };
}

/** A presence octet, 00 for `standard`, or 01 and the value (DEFAULT). `standard` itself is written as 00. */
export function withDefault<T extends string | number | bigint | boolean>(codec: Codec<T>, standard: T): Codec<T> {
  return {
    shape: { type: "default", of: codec.shape, value: standard },
    encode(w, value) {
      w.unsigned8(value === standard ? 0 : 1);
      if (value !== standard) codec.encode(w, value);
    },
    decode(r) {
      return isPresent(r) ? codec.decode(r) : standard;
    },
  };
}

function isPresent(r: Reader): boolean {
  const flag = r.unsigned8();
  if (flag > 1) r.fail("unknown-value", `presence octet ${flag} is neither 0 nor 1`, r.offset - 1);
  return flag === 1;
}

import { DecodeError } from "../errors.ts";
import type { Codec } from "./codec.ts";
import type { Shape } from "./shape.ts";

/**
 * A value of another type on top of `codec`: `decode` makes it from what was read, `encode` turns it back.
 *
 * What `decode` throws becomes a `DecodeError` `invalid-value` at the value's first octet, with the cause kept.
 */
export function map<Wire, T>(
  name: string,
  codec: Codec<Wire>,
  convert: { decode(wire: Wire): T; encode(value: T): Wire },
): Codec<T> {
  return {
    shape: { type: "mapped", name, of: codec.shape },
    encode(w, value) {
      codec.encode(w, convert.encode(value));
    },
    decode(r) {
      const at = r.offset;
      const wire = codec.decode(r);
      try {
        return convert.decode(wire);
      } catch (error) {
        if (error instanceof DecodeError) throw error;
        const why = error instanceof Error ? error.message : String(error);
        throw new DecodeError("invalid-value", at, `${name}: ${why}`, { cause: error });
      }
    },
  };
}

/** Branded values: `construct` checks and brands what was read; the shape stays that of `codec`. */
export function brand<Wire, T extends Wire>(name: string, codec: Codec<Wire>, construct: (wire: Wire) => T): Codec<T> {
  const mapped = map<Wire, T>(name, codec, { decode: construct, encode: (value) => value });
  return { ...mapped, shape: codec.shape };
}

/** A codec declared further down, for recursive formats; each use is one level of depth. */
export function lazy<T>(name: string, target: () => Codec<T>): Codec<T> {
  const shape: Shape = { type: "named", name };
  let codec: Codec<T> | undefined;
  return {
    shape,
    encode(w, value) {
      codec ??= target();
      codec.encode(w, value);
    },
    decode(r) {
      codec ??= target();
      r.enter();
      const value = codec.decode(r);
      r.leave();
      return value;
    },
  };
}

/** Octets with a length before them that hold one value of `codec` and nothing else. */
export function lengthPrefixed<T>(codec: Codec<T>): Codec<T> {
  return {
    shape: { type: "framed", name: "length", of: codec.shape },
    encode(w, value) {
      const start = w.openField();
      codec.encode(w, value);
      w.closeField(start);
    },
    decode(r) {
      const outer = r.openField(r.length());
      const value = codec.decode(r);
      r.closeField(outer);
      return value;
    },
  };
}

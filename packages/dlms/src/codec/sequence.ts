import { DlmsError, within } from "../errors.ts";
import type { Codec } from "./codec.ts";
import type { Reader } from "./reader.ts";
import { minimumBytes } from "./shape.ts";

/** A count and that many elements (SEQUENCE OF), at most `max` of them where given. */
export function sequenceOf<T>(codec: Codec<T>, limits: { readonly max?: number } = {}): Codec<readonly T[]> {
  const max = limits.max ?? Number.POSITIVE_INFINITY;
  // An element of no octets would let a short input announce any number of them.
  const bytesEach = minimumBytes(codec.shape);
  if (bytesEach === 0) throw new DlmsError("wrong-length", "a sequence needs elements of at least one octet");
  return {
    shape: { type: "sequence", of: codec.shape, ...limits },
    encode(w, values) {
      const count = values.length;
      if (count > max) throw new DlmsError("too-many", `${count} elements, at most ${max} allowed`);
      w.length(count);
      let at = 0;
      try {
        for (; at < count; at += 1) codec.encode(w, values[at] as T);
      } catch (error) {
        throw within(error, at);
      }
    },
    decode(r) {
      return decodeElements(r, codec, r.elements(bytesEach, max));
    },
  };
}

/** Reads `count` elements; the caller has checked `count` against the octets left. */
export function decodeElements<T>(r: Reader, codec: Codec<T>, count: number): T[] {
  const values: T[] = [];
  let at = 0;
  try {
    for (; at < count; at += 1) values.push(codec.decode(r));
  } catch (error) {
    throw within(error, at);
  }
  return values;
}

import type { Codec } from "../codec/codec.ts";
import { d } from "../data/d.ts";

/**
 * The parameter of methods that have none: `integer (0)` (Blue Book, "data ::= integer (0)").
 *
 * Any Data is taken when reading: meters and clients differ here, and nothing depends on the value.
 */
export const noParameter: Codec<undefined> = {
  shape: { type: "mapped", name: "integer (0)", of: d.integer.shape },
  encode: (w) => d.integer.encode(w, 0),
  decode: (r) => {
    d.any.decode(r);
    return undefined;
  },
};

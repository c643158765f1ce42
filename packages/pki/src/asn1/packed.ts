import { type Codec, Reader } from "@meterkeep/dlms";
import { type Asn1, element, named, TAGS } from "./element.ts";

/** Values one after the other, as many times as wanted; an array is one. */
export type Packed<T> = Iterable<T> & { readonly length: number };

/** Elements that stay in their octets: each was decoded once to know that it can be, and is again when it is looked at. */
class PackedElements<T> implements Packed<T> {
  readonly length: number;
  readonly #octets: Uint8Array;
  readonly #of: Codec<T>;

  constructor(octets: Uint8Array, of: Codec<T>, length: number) {
    this.#octets = octets;
    this.#of = of;
    this.length = length;
  }

  *[Symbol.iterator](): Generator<T> {
    const r = new Reader(this.#octets);
    while (r.remaining > 0) yield this.#of.decode(r);
  }
}

/**
 * SEQUENCE OF for what has a million elements: as strict as `sequenceOf`, and what is read takes no memory but its octets.
 */
export function packedSequenceOf<T>(of: Asn1<T>, limits: { readonly min?: number; readonly max: number }) {
  const { min = 0, max } = limits;
  return element<Packed<T>>(TAGS.sequence, "sequence", {
    shape: { type: "sequence", of: of.shape, max },
    encode(w, values) {
      for (const value of values) of.encode(w, value);
    },
    decode(r) {
      const start = r.offset;
      let length = 0;
      for (; r.remaining > 0; length += 1) {
        if (length === max) r.fail("too-many", `more than ${max} elements`);
        try {
          of.decode(r);
        } catch (error) {
          throw named(error, length);
        }
      }
      if (length < min) r.fail("truncated", `${length} elements, at least ${min} belong here`);
      return new PackedElements(r.bytes.subarray(start, r.offset), of, length);
    },
  });
}

import { type Codec, c, type Fields, type Infer, type StructOf, systemTitleCodec } from "@meterkeep/dlms";

/** One of a closed list of names, by its place in the list on the wire: append to a list, never insert. */
export function oneOf<const N extends readonly string[]>(names: N): Codec<N[number]> {
  return c.enumeration(Object.fromEntries(names.map((name, at) => [name, at])));
}

type Cases = Readonly<Record<string, Codec<object>>>;

/** The value of a union: `{ kind: "sealed", apdu }`. */
export type UnionOf<V extends Cases> = {
  [K in keyof V & string]: Readonly<{ kind: K } & Infer<V[K]>>;
}[keyof V & string];

/** Structs told apart by `kind`, which stands among their fields. */
export function union<const V extends Cases>(cases: V): Codec<UnionOf<V>> {
  const tagged = c.choice(
    Object.fromEntries(Object.entries(cases).map(([kind, codec], tag) => [kind, [tag, codec as Codec<unknown>]])),
  );
  return {
    shape: tagged.shape,
    // The struct of a case takes its own fields from the whole value and leaves `kind` alone.
    encode: (w, value) => tagged.encode(w, { kind: value.kind, value } as never),
    decode: (r) => {
      const { kind, value } = tagged.decode(r) as { kind: string; value: object };
      return { kind, ...value } as UnionOf<V>;
    },
  };
}

/** Shorthand for a struct of the contract. */
export function record<F extends Fields>(fields: F): Codec<StructOf<F>> {
  return c.struct(fields);
}

/** Milliseconds since 1970 UTC. */
export const time: Codec<number> = c.map("milliseconds since 1970", c.unsigned64, {
  decode: (wire) => Number(wire),
  encode: (value) => BigInt(value),
});

/** A whole number below 2^53. */
export const wholeNumber: Codec<number> = c.map("whole number", c.unsigned64, {
  decode: (wire) => Number(wire),
  encode: (value) => BigInt(value),
});

/** A span in milliseconds, at most 49 days. */
export const milliseconds: Codec<number> = c.unsigned32;

/** Names and short texts. */
export const shortText: Codec<string> = c.utf8({ max: 256 });

/** What a person reads. */
export const longText: Codec<string> = c.utf8({ max: 4096 });

const placeName: Codec<string> = c.brand("place name", c.utf8({ max: 64 }), (name) => {
  // PostgreSQL takes no NUL, and refuses whatever else is in the same commit with it; "*" is the installation itself.
  if (!/^[^\p{Cc}]+$/u.test(name) || name === "*")
    throw new RangeError('a utility or island has 1 to 64 octets of text without control characters, and is not "*"');
  return name;
});

/** A tenant and a cell of it. */
export const place = { utility: placeName, island: placeName } as const;

/** A meter by its system title. */
export const meterTitle = systemTitleCodec;

/** A whole APDU; the longest a wrapper frame can carry. */
export const apdu: Codec<Uint8Array> = c.bytes({ max: 65_535 });

/** What names a session, a contact or an upload: made by the custodian, good on the principal that opened it only. */
export const handle: Codec<string> = c.ascii({ max: 32 });

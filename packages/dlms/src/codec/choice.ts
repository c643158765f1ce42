import { DlmsError, within } from "../errors.ts";
import type { Codec, Infer } from "./codec.ts";

/** The variants of a choice: kind to tag octet and codec. */
export type Variants = Readonly<Record<string, readonly [tag: number, codec: Codec<unknown>]>>;

/** The value of a choice: one `{ kind, value }` a variant; variants without content need no `value`. */
export type ChoiceOf<V extends Variants> = {
  [K in keyof V & string]: Infer<V[K][1]> extends undefined
    ? { readonly kind: K; readonly value?: undefined }
    : { readonly kind: K; readonly value: Infer<V[K][1]> };
}[keyof V & string];

/** A tag octet and the variant it announces (CHOICE). */
export function choice<const V extends Variants>(variants: V): Codec<ChoiceOf<V>> {
  const byKind = new Map<string, readonly [number, Codec<unknown>]>(Object.entries(variants));
  const byTag: ({ readonly kind: string; readonly codec: Codec<unknown> } | undefined)[] = [];
  for (const [kind, [tag, codec]] of byKind) {
    if (byTag[tag] !== undefined || tag < 0 || tag > 0xff)
      throw new DlmsError("invalid-value", `variant "${kind}" needs a tag octet of its own, ${tag} is none`);
    byTag[tag] = { kind, codec };
  }
  return {
    shape: {
      type: "choice",
      variants: [...byKind].map(([kind, [tag, codec]]) => ({ kind, tag, shape: codec.shape })),
    },
    encode(w, value) {
      const variant = byKind.get(value.kind);
      if (variant === undefined) throw new DlmsError("unknown-value", `no variant "${value.kind}" in this choice`);
      w.unsigned8(variant[0]);
      try {
        variant[1].encode(w, value.value);
      } catch (error) {
        throw within(error, value.kind);
      }
    },
    decode(r) {
      const tag = r.unsigned8();
      const variant = byTag[tag];
      if (variant === undefined) return r.fail("unknown-tag", `0x${tag.toString(16).padStart(2, "0")}`, r.offset - 1);
      try {
        const value = variant.codec.decode(r);
        const chosen = value === undefined ? { kind: variant.kind } : { kind: variant.kind, value };
        return chosen as ChoiceOf<V>;
      } catch (error) {
        throw within(error, variant.kind);
      }
    },
  };
}

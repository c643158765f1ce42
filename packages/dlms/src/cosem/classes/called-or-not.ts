import { d } from "../../data/d.ts";
import { type DataCodec, peekTag } from "../../data/typed.ts";

/**
 * The access mode of a method in first versions of the association classes: a boolean, as the number 0 or 1. Meters that
 * say it with an enum as later versions do are understood.
 */
export const calledOrNot: DataCodec<number> = {
  tags: [...d.boolean.tags, ...d.enum.tags],
  shape: { type: "mapped", name: "called or not", of: d.boolean.shape },
  encode: (w, mode) => d.boolean.encode(w, mode !== 0),
  decode: (r) => (d.enum.tags.includes(peekTag(r)) ? d.enum.decode(r) : Number(d.boolean.decode(r))),
};

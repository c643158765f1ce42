import { d } from "../../data/d.ts";
import { type DataCodec, peekTag } from "../../data/typed.ts";

// The access mode of a method is a boolean in the first versions of the association classes and an enum later. A client
// learns the version from the very list that it reads, and meters mix them up: both are understood everywhere.

/** Written as a boolean: allowed or not. */
export const calledOrNot: DataCodec<number> = {
  tags: [...d.boolean.tags, ...d.enum.tags],
  shape: { type: "mapped", name: "called or not", of: d.boolean.shape },
  encode: (w, mode) => d.boolean.encode(w, mode !== 0),
  decode: (r) => (d.enum.tags.includes(peekTag(r)) ? d.enum.decode(r) : Number(d.boolean.decode(r))),
};

/** Written as an enum. */
export const callMode: DataCodec<number> = {
  tags: calledOrNot.tags,
  shape: { type: "mapped", name: "call mode", of: d.enum.shape },
  encode: d.enum.encode,
  decode: calledOrNot.decode,
};

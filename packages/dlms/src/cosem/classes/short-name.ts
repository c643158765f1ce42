import { d } from "../../data/d.ts";
import { type DataCodec, peekTag } from "../../data/typed.ts";
import { DlmsError } from "../../errors.ts";

/** A base name, 0 to 0xfff8: `long` on the wire, read as if it had no sign; some meters write it as long-unsigned. */
export const shortName: DataCodec<number> = {
  tags: [...d.long.tags, ...d.longUnsigned.tags],
  shape: { type: "mapped", name: "short name", of: d.long.shape },
  encode(w, value) {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff)
      throw new DlmsError("out-of-range", `${value} is no short name: 0 to 65535`);
    d.long.encode(w, value > 0x7fff ? value - 0x10000 : value);
  },
  decode: (r) => (d.longUnsigned.tags.includes(peekTag(r)) ? d.longUnsigned.decode(r) : d.long.decode(r) & 0xffff),
};

import { DlmsError } from "../errors.ts";
import type { Codec } from "./codec.ts";

/** Names and the bit, counted from the least significant, that each has in the carrier. */
export type FlagBits = Readonly<Record<string, number>>;

/** Bits of a whole number as the list of the names that are set, in declared order. Unnamed set bits are refused. */
export function flags<const B extends FlagBits>(bits: B, carrier: Codec<number>): Codec<readonly (keyof B & string)[]> {
  type Name = keyof B & string;
  const entries = Object.entries(bits) as [Name, number][];
  const known = entries.reduce((mask, [, bit]) => mask + 2 ** bit, 0);
  return {
    shape: { type: "flags", bits },
    encode(w, names) {
      carrier.encode(w, flagsToNumber(bits, names));
    },
    decode(r) {
      const at = r.offset;
      const number = carrier.decode(r);
      // Carriers reach 32 bits: unsigned comparison through `>>> 0`.
      const unknown = (number & ~known) >>> 0;
      if (unknown !== 0) r.fail("unknown-value", `bits 0x${unknown.toString(16)} have no name`, at);
      return entries.filter(([, bit]) => ((number >>> bit) & 1) === 1).map(([name]) => name);
    },
  };
}

/** The number that has the bits of `names` set. */
export function flagsToNumber(bits: FlagBits, names: readonly string[]): number {
  let number = 0;
  for (const name of names) {
    const bit = bits[name];
    if (bit === undefined) throw new DlmsError("unknown-value", `"${name}" is not one of these flags`);
    number = (number | (1 << bit)) >>> 0;
  }
  return number;
}

import { DlmsError } from "../errors.ts";
import type { Codec } from "./codec.ts";
import { unsigned8 } from "./scalars.ts";

/** Names and the numbers they have on the wire. */
export type EnumerationValues = Readonly<Record<string, number>>;

/** A closed set of names; a number outside it is refused. One octet on the wire unless `carrier` says otherwise. */
export function enumeration<const V extends EnumerationValues>(
  values: V,
  carrier: Codec<number> = unsigned8,
): Codec<keyof V & string> {
  return named(values, carrier, false) as Codec<keyof V & string>;
}

/** An open set: numbers without a name pass as numbers. */
export function openEnumeration<const V extends EnumerationValues>(
  values: V,
  carrier: Codec<number> = unsigned8,
): Codec<(keyof V & string) | number> {
  return named(values, carrier, true) as Codec<(keyof V & string) | number>;
}

function named(values: EnumerationValues, carrier: Codec<number>, open: boolean): Codec<string | number> {
  const numbers = new Map(Object.entries(values));
  const names = new Map(Object.entries(values).map(([name, number]) => [number, name]));
  return {
    shape: { type: "enumeration", values, open },
    encode(w, value) {
      const number = typeof value === "string" ? numbers.get(value) : open ? value : undefined;
      if (number === undefined) throw new DlmsError("unknown-value", `"${value}" is not one of this enumeration`);
      carrier.encode(w, number);
    },
    decode(r) {
      const at = r.offset;
      const number = carrier.decode(r);
      const name = names.get(number);
      if (name !== undefined) return name;
      return open ? number : r.fail("unknown-value", `${number} is not one of this enumeration`, at);
    },
  };
}

/** Always the same value: written as it is, and refused when another one is read. */
export function constant<const T extends number | string | boolean | bigint>(
  value: T,
  codec: Codec<number> | Codec<string> | Codec<boolean> | Codec<bigint>,
): Codec<T> {
  const carrier = codec as Codec<unknown>;
  return {
    shape: { type: "constant", value, of: carrier.shape },
    encode(w, given) {
      if (given !== value) throw new DlmsError("wrong-value", `${String(given)} given where only ${value} may stand`);
      carrier.encode(w, value);
    },
    decode(r) {
      const at = r.offset;
      const read = carrier.decode(r);
      if (read !== value) r.fail("wrong-value", `${String(read)} where only ${value} may stand`, at);
      return value;
    },
  };
}

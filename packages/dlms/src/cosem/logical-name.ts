import { DlmsError } from "../errors.ts";

/**
 * The name of a COSEM object: its OBIS code as six numbers, `"0.0.43.0.0.255"` (Blue Book 4.1.2).
 *
 * Kept as text in values, so that it compares and prints as people write it; six octets on the wire.
 */
export type LogicalName = `${number}.${number}.${number}.${number}.${number}.${number}`;

const OCTETS = 6;
const ZERO = 0x30;
const SEPARATORS = ".:*-";
const MOST_DIGITS = 3;

/**
 * The six octets of a logical name. `A.B.C.D.E.F` and `A-B:C.D.E*F` are both read.
 *
 * @throws DlmsError `invalid-value` when the text is not six numbers from 0 to 255.
 */
export function logicalNameOctets(name: string): Uint8Array {
  const octets = new Uint8Array(OCTETS);
  let part = 0;
  let value = 0;
  let digits = 0;
  // Read character by character: every request begins here.
  for (let at = 0; at <= name.length; at += 1) {
    const digit = name.charCodeAt(at) - ZERO;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      digits += 1;
      continue;
    }
    const ends = at === name.length || SEPARATORS.includes(name.charAt(at));
    if (!ends || digits === 0 || digits > MOST_DIGITS || value > 255 || part === OCTETS) throw notALogicalName(name);
    octets[part] = value;
    part += 1;
    value = 0;
    digits = 0;
  }
  if (part !== OCTETS) throw notALogicalName(name);
  return octets;
}

/** Writes six octets as `A.B.C.D.E.F`. @throws DlmsError `wrong-length` for any other count of octets. */
export function logicalNameText(octets: Uint8Array): LogicalName {
  if (octets.length !== OCTETS)
    throw new DlmsError("wrong-length", `a logical name has 6 octets, this one has ${octets.length}`);
  const [a, b, c, d, e, f] = octets as unknown as readonly [number, number, number, number, number, number];
  return `${a}.${b}.${c}.${d}.${e}.${f}`;
}

/** A logical name as one number (48 bits, exact in a double): finds an object without building text. */
export function logicalNameKey(octets: Uint8Array): number {
  const [a, b, c, d, e, f] = octets as unknown as readonly [number, number, number, number, number, number];
  return ((a << 16) | (b << 8) | c) * 0x1000000 + ((d << 16) | (e << 8) | f);
}

function notALogicalName(name: string): DlmsError {
  return new DlmsError("invalid-value", `"${name}" is not a logical name: write six numbers, as in 0.0.43.0.0.255`);
}

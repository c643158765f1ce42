import { DlmsError } from "../errors.ts";

/**
 * The name of a COSEM object: its OBIS code as six numbers, `"0.0.43.0.0.255"` (Blue Book 4.1.2).
 *
 * Kept as text in values, so that it compares and prints as people write it; six octets on the wire.
 */
export type LogicalName = `${number}.${number}.${number}.${number}.${number}.${number}`;

const OCTETS = 6;

/**
 * The six octets of a logical name. `A.B.C.D.E.F` and `A-B:C.D.E*F` are both read.
 *
 * @throws DlmsError `invalid-value` when the text is not six numbers from 0 to 255.
 */
export function logicalNameOctets(name: string): Uint8Array {
  const parts = name.split(/[.:*-]/);
  if (parts.length !== OCTETS) throw notALogicalName(name);
  const octets = new Uint8Array(OCTETS);
  for (let at = 0; at < OCTETS; at += 1) {
    const part = parts[at] as string;
    const value = /^\d{1,3}$/.test(part) ? Number(part) : 256;
    if (value > 255) throw notALogicalName(name);
    octets[at] = value;
  }
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

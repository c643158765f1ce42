/**
 * The two 16-bit checks of meter links. Both are reflected CRCs over a table of 256; they differ in polynomial, start
 * and final inversion.
 */
function table(reflectedPolynomial: number): Uint16Array {
  const entries = new Uint16Array(256);
  for (let octet = 0; octet < 256; octet += 1) {
    let value = octet;
    for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 1 ? (value >>> 1) ^ reflectedPolynomial : value >>> 1;
    entries[octet] = value;
  }
  return entries;
}

const X25 = table(0x8408);
const ARC = table(0xa001);

/**
 * The frame check sequence of HDLC (ISO/IEC 13239, 4.2.5.2) over `bytes[start, end)`. On the wire its low octet goes
 * first.
 */
export function frameCheck(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let value = 0xffff;
  for (let at = start; at < end; at += 1)
    value = (value >>> 8) ^ (X25[(value ^ (bytes[at] as number)) & 0xff] as number);
  return value ^ 0xffff;
}

/** The CRC16 behind the `!` of a P1 telegram (DSMR 5.0.2, 5.2), over everything from `/` up to and including `!`. */
export function p1Check(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let value = 0;
  for (let at = start; at < end; at += 1) value = p1CheckStep(value, bytes[at] as number);
  return value;
}

/** One octet of {@link p1Check}, for those who count octets that are not in the input (changed line ends). */
export function p1CheckStep(value: number, octet: number): number {
  return (value >>> 8) ^ (ARC[(value ^ octet) & 0xff] as number);
}

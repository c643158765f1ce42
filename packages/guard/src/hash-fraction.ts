/** SHA-384 of octets. */
export type Sha384 = (octets: Uint8Array) => Uint8Array;

/** A fraction in [0, 1) that follows from octets: the first 48 bits of their hash. Anybody can compute it again. */
export function hashFraction(octets: Uint8Array, sha384: Sha384): number {
  let numerator = 0;
  for (const octet of sha384(octets).subarray(0, 6)) numerator = numerator * 256 + octet;
  return numerator / 2 ** 48;
}

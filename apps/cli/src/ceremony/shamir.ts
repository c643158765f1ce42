import { CliError } from "../error.ts";

// Shamir, "How to share a secret" (1979), octet by octet over GF(2^8) with the polynomial of FIPS 197 4.2.

const POLYNOMIAL = 0x11b;
const FIELD = 256;

/** One part of a secret: the abscissa, from 1, and an ordinate for each octet. */
export interface Share {
  readonly index: number;
  readonly octets: Uint8Array;
}

/** Splits a secret into parts, any `threshold` of which give it again and fewer of which say nothing about it. */
export function splitSecret(
  secret: Uint8Array,
  shares: number,
  threshold: number,
  random: (octets: number) => Uint8Array,
): readonly Share[] {
  if (!(threshold >= 2 && threshold <= shares && shares < FIELD) || secret.length === 0)
    throw new CliError("option-invalid", "a secret has 2 to 255 shares, and a threshold of 2 to that number");
  const parts = Array.from({ length: shares }, (_, at) => ({ index: at + 1, octets: new Uint8Array(secret.length) }));
  for (const [at, octet] of secret.entries()) {
    const coefficients = Uint8Array.of(octet, ...random(threshold - 1));
    for (const part of parts) part.octets[at] = valueAt(coefficients, part.index);
    coefficients.fill(0);
  }
  return parts;
}

/** Puts a secret together from shares, of which there must be enough: too few give another secret, and nothing says so. */
export function joinShares(shares: readonly Share[]): Uint8Array {
  const [first] = shares;
  const isSound =
    first !== undefined &&
    new Set(shares.map(({ index }) => index)).size === shares.length &&
    shares.every(({ index, octets }) => index > 0 && index < FIELD && octets.length === first.octets.length);
  if (!isSound) throw new CliError("input-unreadable", "the shares do not belong together, or one came twice");
  const weights = shares.map(({ index }) =>
    shares.reduce(
      (weight, other) => (other.index === index ? weight : multiply(weight, divide(other.index, other.index ^ index))),
      1,
    ),
  );
  return first.octets.map((_, at) =>
    shares.reduce((sum, { octets }, which) => sum ^ multiply(octets[at] ?? 0, weights[which] ?? 0), 0),
  );
}

/** The product in the field, in the same steps whatever the factors. */
export function multiply(one: number, other: number): number {
  let product = 0;
  let shifted = one;
  for (let bit = 0; bit < 8; bit += 1) {
    product ^= shifted & -((other >> bit) & 1);
    shifted = (shifted << 1) ^ (POLYNOMIAL & -(shifted >> 7));
  }
  return product;
}

/** The quotient: the inverse of a is a^254. */
function divide(dividend: number, divisor: number): number {
  let inverse = 1;
  for (let power = 0; power < FIELD - 2; power += 1) inverse = multiply(inverse, divisor);
  return multiply(dividend, inverse);
}

function valueAt(coefficients: Uint8Array, index: number): number {
  return coefficients.reduceRight((sum, coefficient) => multiply(sum, index) ^ coefficient, 0);
}

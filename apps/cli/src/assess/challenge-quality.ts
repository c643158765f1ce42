import { toHex } from "@meterkeep/dlms";

const LEAST_OCTETS = 8;
const LEAST_VARYING_BITS = 64;
/** Standard deviations of the number of ones beyond which chance is no explanation: once in a million tests. */
const MOST_DEVIATIONS = 5;

/**
 * What is wrong with challenges of one meter, as the end of a sentence; undefined when nothing is.
 *
 * No number of samples proves randomness. What is found is what has been found in meters: short ones, constant ones,
 * counters, clocks, and generators that always begin with the same.
 */
export function objectionTo(challenges: readonly Uint8Array[]): string | undefined {
  const shortest = Math.min(...challenges.map(({ length }) => length));
  if (shortest < LEAST_OCTETS) return `one has ${shortest} octets, where ${LEAST_OCTETS} are the least`;
  const seen = new Set<string>();
  for (const challenge of challenges) {
    const hex = toHex(challenge);
    if (seen.has(hex)) return `${hex} came twice`;
    seen.add(hex);
  }
  if (isProgression(challenges)) return "each is the one before plus the same step";
  const varying = varyingBits(challenges.map((challenge) => challenge.subarray(0, shortest)));
  const needed = Math.min(LEAST_VARYING_BITS, shortest * 8);
  if (varying < needed) return `only ${varying} of ${shortest * 8} bits ever change`;
  const deviations = onesDeviation(challenges);
  if (deviations > MOST_DEVIATIONS)
    return `ones and zeros are out of balance by ${deviations.toFixed(1)} standard deviations`;
  return undefined;
}

function isProgression(challenges: readonly Uint8Array[]): boolean {
  const numbers = challenges.map((challenge) => BigInt(`0x${toHex(challenge)}`));
  const steps = new Set(numbers.slice(1).map((number, at) => number - numbers[at]!));
  return numbers.length > 2 && steps.size === 1;
}

/** How many bits are not the same in all samples. */
function varyingBits(samples: readonly Uint8Array[]): number {
  const [first = new Uint8Array()] = samples;
  let bits = 0;
  for (const [at, octet] of first.entries()) {
    const changed = samples.reduce((mask, sample) => mask | (sample[at]! ^ octet), 0);
    bits += ones(changed);
  }
  return bits;
}

function onesDeviation(samples: readonly Uint8Array[]): number {
  const octets = samples.flatMap((sample) => [...sample]);
  const count = octets.reduce((sum, octet) => sum + ones(octet), 0);
  const bits = octets.length * 8;
  return Math.abs(count - bits / 2) / (Math.sqrt(bits) / 2);
}

function ones(octet: number): number {
  let count = 0;
  for (let rest = octet; rest !== 0; rest >>= 1) count += rest & 1;
  return count;
}

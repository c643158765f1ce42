/** A small generator of numbers: the same seed gives the same inputs. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return limit <= 1 ? 0 : this.#state % limit;
  }
}

const TELLING = [0x00, 0x01, 0x02, 0x09, 0x0f, 0x13, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xc0, 0xe0, 0xff];
const LONGEST_INPUT_BYTES = 4096;
/** Lengths and counts that say more than there is. */
const HUGE = [
  [0x84, 0xff, 0xff, 0xff, 0xff],
  [0x82, 0xff, 0xff],
  [0x81, 0xff],
  [0x83, 0x01, 0x00, 0x00],
];

/** An input made from one seed, or from the beginning of one and the end of another. */
export function mutate(random: Random, seeds: readonly Uint8Array[]): Uint8Array {
  const seed = pick(random, seeds);
  let octets: Uint8Array = random.below(8) === 0 ? splice(random, seed, pick(random, seeds)) : seed.slice();
  for (let changes = 1 + random.below(4); changes > 0; changes -= 1) octets = change(random, octets);
  return octets.length > LONGEST_INPUT_BYTES ? octets.slice(0, LONGEST_INPUT_BYTES) : octets;
}

function change(random: Random, octets: Uint8Array): Uint8Array {
  const at = random.below(octets.length);
  switch (random.below(8)) {
    case 0:
      return set(octets, at, random.below(256));
    case 1:
      return set(octets, at, TELLING[random.below(TELLING.length)] as number);
    case 2:
      return set(octets, at, (octets[at] ?? 0) ^ (1 << random.below(8)));
    case 3:
      return octets.slice(0, at);
    case 4:
      return join(octets.subarray(0, at), octets.subarray(at + 1 + random.below(8)));
    case 5:
      return join(octets.subarray(0, at), Uint8Array.of(random.below(256)), octets.subarray(at));
    case 6: {
      const piece = octets.subarray(at, at + 1 + random.below(64));
      return join(octets.subarray(0, at), piece, piece, octets.subarray(at));
    }
    default: {
      const huge = HUGE[random.below(HUGE.length)] as number[];
      return join(octets.subarray(0, at), Uint8Array.from(huge), octets.subarray(at + 1));
    }
  }
}

function splice(random: Random, one: Uint8Array, other: Uint8Array): Uint8Array {
  return join(one.subarray(0, random.below(one.length)), other.subarray(random.below(other.length)));
}

function set(octets: Uint8Array, at: number, value: number): Uint8Array {
  if (at < octets.length) octets[at] = value;
  return octets;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

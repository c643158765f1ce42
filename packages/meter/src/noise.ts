/** Reproducible noise for layout and load. Never used for keys: those come from the system's generator. */

/** Mixes a 32-bit integer so that every input bit reaches every output bit (the finaliser of MurmurHash3, public domain). */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Derives the seed of a part from the seed of the whole: `derive(town, meterNumber)`. Returns an unsigned 32-bit integer. */
export function derive(seed: number, part: number): number {
  return mix(mix(seed ^ 0x9e3779b9) + Math.imul(part | 0, 0x27d4eb2f));
}

/** The seed that a text stands for, so that `--seed spring` works as well as a number. */
export function seedOf(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h);
}

/** A value in [0, 1) that depends on its arguments alone. */
export function uniform(seed: number, index: number): number {
  return derive(seed, index) / 0x1_0000_0000;
}

/** A value in [from, to) that depends on its arguments alone. */
export function between(seed: number, index: number, from: number, to: number): number {
  return from + (to - from) * uniform(seed, index);
}

/** Roughly normal with mean 0 and deviation 1, bounded by ±3 (the sum of four uniforms). */
export function bell(seed: number, index: number): number {
  const s = seed ^ 0x51ed270b;
  const i = index * 4;
  return (uniform(s, i) + uniform(s, i + 1) + uniform(s, i + 2) + uniform(s, i + 3) - 2) * Math.sqrt(3);
}

/** Noise that moves smoothly between one value in [-1, 1] a lattice point; `x` counts lattice points. */
export function smooth(seed: number, x: number): number {
  const i = Math.floor(x);
  const f = x - i;
  const ease = f * f * (3 - 2 * f);
  const a = uniform(seed, i);
  return 2 * (a + (uniform(seed, i + 1) - a) * ease) - 1;
}

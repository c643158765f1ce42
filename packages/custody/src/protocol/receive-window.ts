/** How many counters below the highest one are told apart: a push may overtake a response. */
export const WINDOW_COUNTERS = 1024;

const WINDOW_BYTES = WINDOW_COUNTERS / 8;
const MASK = (1n << BigInt(WINDOW_COUNTERS)) - 1n;

/** Which counters were accepted: the highest, and bit n for counter `highest - n`. */
export interface ReceiveWindow {
  readonly highest: number;
  readonly seen: bigint;
}

/** The window after `counter`, or undefined where it was accepted before or is too old to tell. */
export function accepted(window: ReceiveWindow | undefined, counter: number): ReceiveWindow | undefined {
  if (window === undefined) return { highest: counter, seen: 1n };
  const { highest, seen } = window;
  if (counter > highest) {
    const ahead = counter - highest;
    return { highest: counter, seen: ahead >= WINDOW_COUNTERS ? 1n : ((seen << BigInt(ahead)) & MASK) | 1n };
  }
  const behind = BigInt(highest - counter);
  if (behind >= WINDOW_COUNTERS || ((seen >> behind) & 1n) === 1n) return undefined;
  return { highest, seen: seen | (1n << behind) };
}

/** How many counters between two, neither included, were not accepted; undefined where one of them is too old to tell. */
export function missing({ highest, seen }: ReceiveWindow, since: number, below: number): number | undefined {
  if (highest - since > WINDOW_COUNTERS) return undefined;
  let count = 0;
  for (let counter = since + 1; counter < Math.min(below, highest); counter += 1)
    if (((seen >> BigInt(highest - counter)) & 1n) === 0n) count += 1;
  return count;
}

/** All that either of two windows has accepted, as far as one window reaches. */
export function united(one: ReceiveWindow, other: ReceiveWindow): ReceiveWindow {
  const [low, high] = one.highest <= other.highest ? [one, other] : [other, one];
  const behind = high.highest - low.highest;
  return behind >= WINDOW_COUNTERS
    ? high
    : { highest: high.highest, seen: high.seen | ((low.seen << BigInt(behind)) & MASK) };
}

/** The bits as the store keeps them, least significant octet first. */
export function windowOctets({ seen }: ReceiveWindow): Uint8Array {
  const octets = new Uint8Array(WINDOW_BYTES);
  const hex = seen.toString(16).padStart(WINDOW_BYTES * 2, "0");
  octets.set(Buffer.from(hex, "hex").reverse());
  return octets;
}

/** What `windowOctets` wrote. */
export function windowOf(highest: number, octets: Uint8Array): ReceiveWindow {
  return { highest, seen: BigInt(`0x${Buffer.from(octets).reverse().toString("hex")}`) };
}

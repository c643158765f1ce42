import fc from "fast-check";

// A line with faults for the model-based tests of HDLC and of block transfer. What happens to each frame is drawn
// beforehand; after that the line is perfect, so that whatever is still under way must come to an end.

/** What a line may do to a frame. `late` lets up to two others overtake it. */
export type LineFault = "none" | "lost" | "twice" | "late" | "damaged";

export const lineFaults = (kinds: readonly LineFault[], most: number): fc.Arbitrary<LineFault[]> =>
  fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant("none" as const) }, fc.constantFrom(...kinds)), {
    maxLength: most,
  });

interface Travelling<Side> {
  readonly to: Side;
  readonly octets: Uint8Array;
}

/** Carries frames between two sides, in order but for its faults. */
export class LossyLine<Side extends string> {
  readonly #faults: LineFault[];
  #travelling: Travelling<Side>[] = [];
  #held: { frame: Travelling<Side>; overtakes: number }[] = [];
  /** Frames that did not arrive as they were sent. */
  harmed = 0;

  constructor(faults: readonly LineFault[]) {
    this.#faults = [...faults];
  }

  send(to: Side, octets: Uint8Array): void {
    const frame = { to, octets: octets.slice() };
    const fault = this.#faults.shift() ?? "none";
    if (fault !== "none") this.harmed += 1;
    if (fault === "lost") return;
    if (fault === "late") {
      this.#held.push({ frame, overtakes: 2 });
      return;
    }
    if (fault === "damaged") frame.octets[this.#faults.length % octets.length]! ^= 1 << (this.#faults.length % 8);
    this.#travelling.push(frame);
    if (fault === "twice") this.#travelling.push(frame);
    for (const late of this.#held) late.overtakes -= 1;
    const due = this.#held.filter(({ overtakes }) => overtakes <= 0);
    this.#held = this.#held.filter(({ overtakes }) => overtakes > 0);
    this.#travelling.push(...due.map((late) => late.frame));
  }

  /** The next frame to arrive; undefined when the line is silent. */
  next(): Travelling<Side> | undefined {
    if (this.#travelling.length === 0) {
      this.#travelling = this.#held.map(({ frame }) => frame);
      this.#held = [];
    }
    return this.#travelling.shift();
  }
}

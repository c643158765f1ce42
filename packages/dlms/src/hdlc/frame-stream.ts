import { NO_BYTES } from "../bytes.ts";
import { HDLC_FLAG, type HdlcFrame, recogniseHdlc } from "../link/hdlc.ts";

/** A whole frame with its flags: more is never held. */
const MOST_HELD_BYTES = 2 * 2049;

/**
 * Cuts the octets of an HDLC line into frames, with the recogniser that also finds frames in captures. What fails a
 * check is dropped, as the standard has it (IEC 62056-46, 6.4.4.4.4): the other station repeats what is not answered.
 *
 * States: hunting for a flag; or standing at one, with what has arrived behind it.
 */
export class HdlcFrameStream {
  #held: Uint8Array = NO_BYTES;
  /** Frames dropped because a check failed or octets were missing. */
  damagedFrames = 0;

  /** Whether a frame has begun that is not whole. */
  get isUnfinished(): boolean {
    return this.#held.length > 1;
  }

  /** Takes octets as they come and gives the frames they complete; their information is a view of octets kept here. */
  push(chunk: Uint8Array): HdlcFrame[] {
    const frames: HdlcFrame[] = [];
    for (let start = 0; start < chunk.length; start += MOST_HELD_BYTES)
      this.#scan(chunk.subarray(start, start + MOST_HELD_BYTES), frames);
    return frames;
  }

  /** The line was silent within a frame: what is there of it will not be completed. */
  reset(): void {
    if (this.isUnfinished) this.damagedFrames += 1;
    this.#held = NO_BYTES;
  }

  #scan(chunk: Uint8Array, frames: HdlcFrame[]): void {
    const bytes = new Uint8Array(this.#held.length + chunk.length);
    bytes.set(this.#held);
    bytes.set(chunk, this.#held.length);
    let at = bytes.indexOf(HDLC_FLAG);
    while (at >= 0) {
      const found = recogniseHdlc({ bytes, at, end: bytes.length, base: 0 });
      if (found?.kind === "more") break;
      let next = at + 1;
      if (found?.kind === "frame") {
        frames.push(found.frame);
        next = at + found.length;
      } else if (found !== undefined) {
        this.damagedFrames += 1;
        // With its closing flag in place it was a frame of that length, and what lies inside it is none.
        const end = at + found.length;
        if (found.certain && bytes[end] === HDLC_FLAG) next = end;
      }
      at = bytes.indexOf(HDLC_FLAG, next);
    }
    this.#held = at < 0 ? NO_BYTES : bytes.slice(at);
  }
}

import { CustodianCallError } from "./call-error.ts";
import { FRAME_LENGTH_BYTES, MAX_FRAME_BYTES } from "./frame.ts";

/**
 * Cuts a stream into frames. What it gives out are views of the chunks where a frame came in one piece.
 *
 * A length over `MAX_FRAME_BYTES` is refused before anything is kept for it.
 */
export class FrameCutter {
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  /** Takes a chunk and returns the frames it completes. @throws CustodianCallError `channel-malformed`. */
  push(chunk: Uint8Array): Uint8Array[] {
    let bytes = chunk;
    if (this.#heldBytes > 0) {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes < this.#wanted()) return [];
      bytes = join(this.#held, this.#heldBytes);
      this.#held = [];
      this.#heldBytes = 0;
    }
    const frames: Uint8Array[] = [];
    let at = 0;
    while (bytes.length - at >= FRAME_LENGTH_BYTES) {
      const end = at + FRAME_LENGTH_BYTES + checkedLength(bytes, at);
      if (end > bytes.length) break;
      frames.push(bytes.subarray(at + FRAME_LENGTH_BYTES, end));
      at = end;
    }
    if (at < bytes.length) {
      this.#held = [bytes.subarray(at)];
      this.#heldBytes = bytes.length - at;
    }
    return frames;
  }

  /** Octets that must be there before joining is worth it. */
  #wanted(): number {
    const first = this.#held[0] as Uint8Array;
    return first.length < FRAME_LENGTH_BYTES ? FRAME_LENGTH_BYTES : FRAME_LENGTH_BYTES + checkedLength(first, 0);
  }
}

/** Frames one after the other, each with its length before it. */
export function framed(frames: readonly Uint8Array[]): Uint8Array {
  let bytes = 0;
  for (const frame of frames) bytes += FRAME_LENGTH_BYTES + frame.length;
  const octets = new Uint8Array(bytes);
  const view = new DataView(octets.buffer);
  let at = 0;
  for (const frame of frames) {
    view.setUint32(at, frame.length);
    octets.set(frame, at + FRAME_LENGTH_BYTES);
    at += FRAME_LENGTH_BYTES + frame.length;
  }
  return octets;
}

function checkedLength(bytes: Uint8Array, at: number): number {
  const length =
    (bytes[at] as number) * 0x1000000 +
    (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
  if (length > MAX_FRAME_BYTES)
    throw new CustodianCallError(
      "channel-malformed",
      `a frame of ${length} octets; at most ${MAX_FRAME_BYTES} are taken`,
    );
  return length;
}

function join(parts: readonly Uint8Array[], total: number): Uint8Array {
  const joined = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

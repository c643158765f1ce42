import { WRAPPER_HEADER_BYTES, writeWrapper } from "@meterkeep/dlms";
import { TransportError } from "./transport-error.ts";

/** An APDU as it arrived in a wrapper (IEC 62056-47). */
export interface WrapperApdu {
  /** Wrapper ports: the service access points of sender and receiver. */
  readonly source: number;
  readonly destination: number;
  readonly apdu: Uint8Array;
}

const VERSION = 1;
const MOST_APDU_BYTES = 0xffff;
const NOTHING = new Uint8Array(0);

/**
 * Cuts a TCP stream into wrapper frames.
 *
 * Holds at most one frame (65 543 octets) beside the chunk it was given last.
 */
export class WrapperFrames {
  readonly #maxApduBytes: number;
  #pending: Uint8Array = NOTHING;

  /** Longer APDUs than `maxApduBytes` (65 535, which is all that the length can say, unless given) are refused. */
  constructor(maxApduBytes = MOST_APDU_BYTES) {
    this.#maxApduBytes = maxApduBytes;
  }

  /** Whether a frame has begun that is not whole yet. */
  get unfinished(): boolean {
    return this.#pending.length > 0;
  }

  /**
   * Takes the next chunk and returns the frames it completes. APDUs may be views into the chunk.
   *
   * @throws TransportError `frame-malformed` when the stream is not wrapper version 1, or a frame is empty or longer
   * than allowed: it cannot be resynchronised and the connection has to be closed.
   */
  push(chunk: Uint8Array): readonly WrapperApdu[] {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const frames: WrapperApdu[] = [];
    let at = 0;
    while (bytes.length - at >= WRAPPER_HEADER_BYTES) {
      const version = unsigned16(bytes, at);
      if (version !== VERSION)
        throw new TransportError("frame-malformed", `wrapper version ${version} where 1 belongs: not a DLMS wrapper`);
      const length = unsigned16(bytes, at + 6);
      if (length === 0 || length > this.#maxApduBytes)
        throw new TransportError(
          "frame-malformed",
          `a wrapper around ${length} octets: 1 to ${this.#maxApduBytes} belong`,
        );
      const end = at + WRAPPER_HEADER_BYTES + length;
      if (end > bytes.length) break;
      frames.push({
        source: unsigned16(bytes, at + 2),
        destination: unsigned16(bytes, at + 4),
        apdu: bytes.subarray(at + WRAPPER_HEADER_BYTES, end),
      });
      at = end;
    }
    // Copied, so that a short rest does not keep a large chunk alive.
    this.#pending = at === bytes.length ? NOTHING : Uint8Array.from(bytes.subarray(at));
    return frames;
  }
}

/** An APDU in its wrapper, ready for a socket. @throws DlmsError `out-of-range`. */
export function wrapped(source: number, destination: number, apdu: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(WRAPPER_HEADER_BYTES + apdu.length);
  writeWrapper(source, destination, apdu, frame);
  return frame;
}

function unsigned16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

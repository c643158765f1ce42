import { concatBytes } from "../bytes.ts";
import { LineError } from "../link/line-error.ts";
import type { OutgoingFrame } from "./numbered-frames.ts";

/** LLC headers (IEC 62056-46, 5.3.2): destination, source with the command/response bit, quality. */
export const LLC_HEADERS = {
  command: Uint8Array.of(0xe6, 0xe6, 0x00),
  response: Uint8Array.of(0xe6, 0xe7, 0x00),
} as const;
export type LlcHeader = keyof typeof LLC_HEADERS;

/** The octets of an LLC header. */
export const LLC_BYTES = 3;

/** Cuts APDUs shorter than what was agreed, without saying so: some stations take less than they promise. */
export interface SegmentLimits {
  /** Octets of information in the first frame of an APDU, LLC header included. */
  readonly firstBytes?: number;
  /** In each further one. */
  readonly furtherBytes?: number;
}

/**
 * Cuts an APDU into the information of frames: one LLC header before all of it, and bit S on every frame but the last
 * (IEC 62056-46, 6.4.4.5.2).
 */
export function segment(
  apdu: Uint8Array,
  header: LlcHeader,
  maxInformationBytes: number,
  { firstBytes = maxInformationBytes, furtherBytes = maxInformationBytes }: SegmentLimits = {},
): readonly OutgoingFrame[] {
  const unit = concatBytes(LLC_HEADERS[header], apdu);
  const frames: OutgoingFrame[] = [];
  for (let at = 0; at < unit.length; ) {
    const wanted = Math.min(at === 0 ? firstBytes : furtherBytes, maxInformationBytes);
    const end = Math.min(at + Math.max(1, wanted), unit.length);
    frames.push({ information: unit.subarray(at, end), segmented: end < unit.length });
    at = end;
  }
  return frames;
}

/** Joins the information of frames to APDUs again, up to a stated size. */
export class SegmentJoiner {
  readonly #maxBytes: number;
  readonly #accepted: readonly LlcHeader[];
  readonly #mayBeMissing: boolean;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  /** `mayBeMissing` takes what has no LLC header for the APDU itself. */
  constructor(maxApduBytes: number, accepted: readonly LlcHeader[], mayBeMissing = false) {
    this.#maxBytes = maxApduBytes;
    this.#accepted = accepted;
    this.#mayBeMissing = mayBeMissing;
  }

  /** Whether an APDU has begun that is not whole. */
  get isUnfinished(): boolean {
    return this.#parts.length > 0;
  }

  /** Forgets what has begun. */
  reset(): void {
    this.#parts = [];
    this.#bytes = 0;
  }

  /**
   * Takes the information of the next frame and gives the APDU it completes. Octets are copied.
   *
   * @throws LineError `apdu-too-long` beyond the limit, `line-rejected` where no LLC header stands before the APDU.
   */
  push(information: Uint8Array, segmented: boolean): Uint8Array | undefined {
    if (this.#bytes + information.length > this.#maxBytes + LLC_BYTES) {
      this.reset();
      throw new LineError("apdu-too-long", `an APDU in segments exceeds the ${this.#maxBytes} octets allowed`);
    }
    this.#parts.push(information.slice());
    this.#bytes += information.length;
    if (segmented) return undefined;
    const unit = concatBytes(...this.#parts);
    this.reset();
    if (!this.#accepted.some((name) => LLC_HEADERS[name].every((octet, at) => unit[at] === octet))) {
      if (this.#mayBeMissing) return unit;
      throw new LineError("line-rejected", `no LLC header of a ${this.#accepted.join(" or ")} before the APDU`);
    }
    return unit.subarray(LLC_BYTES);
  }
}

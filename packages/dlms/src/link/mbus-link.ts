import { concatBytes } from "../bytes.ts";
import { LineError } from "./line-error.ts";
import type { MbusFrame } from "./wired-mbus.ts";

/** Control fields of EN 13757-2, 5.4, without the frame count bit. */
export const MBUS_CONTROL = {
  /** Initialises a slave. */
  sendNke: 0x40,
  /** Sends data, with frame count. */
  sendUserData: 0x53,
  /** Asks for data, with frame count. */
  requestUserData: 0x5b,
  /** A slave's data. */
  respondUserData: 0x08,
} as const;

/** The frame count bit: it changes with each new message and stays in a repetition. */
export const FRAME_COUNT_BIT = 0x20;

/** Reserved addresses (EN 13757-2, 5.6). */
export const MBUS_ADDRESSES = { anySlave: 0xfe, broadcast: 0xff } as const;

/** Joins the segments of the transport layer (CI 00 to 1F) to APDUs; numbers that do not follow end a series. */
export class MbusJoiner {
  readonly #maxBytes: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxApduBytes: number) {
    this.#maxBytes = maxApduBytes;
  }

  reset(): void {
    this.#parts = [];
    this.#bytes = 0;
  }

  /**
   * Takes the next segment and gives the APDU it completes. Octets are copied.
   *
   * @throws LineError `apdu-too-long` beyond the limit, `line-rejected` where a segment is missing.
   */
  push({ information, sequence, last }: MbusFrame): Uint8Array | undefined {
    if (sequence === 0) this.reset();
    const expected = this.#parts.length;
    if (sequence !== expected) {
      this.reset();
      throw new LineError("line-rejected", `M-Bus segment ${sequence} came where segment ${expected} should be`);
    }
    if (this.#bytes + information.length > this.#maxBytes) {
      this.reset();
      throw new LineError("apdu-too-long", `an APDU in segments exceeds the ${this.#maxBytes} octets allowed`);
    }
    this.#parts.push(information.slice());
    this.#bytes += information.length;
    if (!last) return undefined;
    const apdu = concatBytes(...this.#parts);
    this.reset();
    return apdu;
  }
}

import { concatBytes, NO_BYTES } from "../bytes.ts";
import { type MbusFrame, mbusSum, recogniseMbus } from "./wired-mbus.ts";

/** The single character: an acknowledgement, and all that a slave without data says (EN 13757-2, 5.3). */
export const MBUS_ACKNOWLEDGE = 0xe5;
const SHORT_START = 0x10;
const LONG_START = 0x68;
const STOP = 0x16;
const SHORT_FRAME_BYTES = 5;
/** The longest long frame, with the overflow of its length that one maker's has. */
const MOST_HELD_BYTES = 2 * 517;

/** What travels on a wired M-Bus between a master and its slaves. */
export type MbusMessage =
  | { readonly kind: "acknowledge" }
  | { readonly kind: "short"; readonly control: number; readonly address: number }
  | { readonly kind: "long"; readonly frame: MbusFrame };

/** Writes a short frame: a command without data. */
export function encodeMbusShort(control: number, address: number): Uint8Array {
  return Uint8Array.of(SHORT_START, control, address, mbusSum(Uint8Array.of(control, address)), STOP);
}

/**
 * Cuts the octets of a bus into messages, long frames with the recogniser that also finds them in captures. What fails
 * a check is passed over octet by octet: the other station repeats what is not answered.
 */
export class MbusFrameStream {
  #held: Uint8Array = NO_BYTES;
  /** Octets were passed over since the last message or silence: an E5 among them is no acknowledgement but data. */
  #isLost = false;

  /** Whether a frame has begun that is not whole. */
  get isUnfinished(): boolean {
    return this.#held.length > 0;
  }

  /** The line was silent within a frame. */
  reset(): void {
    this.#held = NO_BYTES;
    this.#isLost = false;
  }

  /** Takes octets as they come and gives the messages they complete. */
  push(chunk: Uint8Array): MbusMessage[] {
    const messages: MbusMessage[] = [];
    for (let start = 0; start < chunk.length; start += MOST_HELD_BYTES)
      this.#scan(concatBytes(this.#held, chunk.subarray(start, start + MOST_HELD_BYTES)), messages);
    return messages;
  }

  #scan(bytes: Uint8Array, messages: MbusMessage[]): void {
    let at = 0;
    while (at < bytes.length) {
      const before = messages.length;
      const length = this.#message(bytes, at, messages);
      if (length === undefined) break;
      this.#isLost = messages.length === before;
      at += length;
    }
    this.#held = bytes.slice(at);
  }

  /** The octets used up at `at`; undefined where more must come. */
  #message(bytes: Uint8Array, at: number, messages: MbusMessage[]): number | undefined {
    const first = bytes[at];
    if (first === MBUS_ACKNOWLEDGE) {
      if (this.#isLost) return 1;
      messages.push({ kind: "acknowledge" });
      return 1;
    }
    if (first === SHORT_START) {
      if (bytes.length < at + SHORT_FRAME_BYTES) return undefined;
      const [control = 0, address = 0, sum, stop] = bytes.subarray(at + 1, at + SHORT_FRAME_BYTES);
      if (stop !== STOP || sum !== mbusSum(Uint8Array.of(control, address))) return 1;
      messages.push({ kind: "short", control, address });
      return SHORT_FRAME_BYTES;
    }
    if (first !== LONG_START) return 1;
    const found = recogniseMbus({ bytes, at, end: bytes.length, base: 0 });
    if (found?.kind === "more") return undefined;
    if (found?.kind !== "frame") return found?.certain === true ? found.length : 1;
    messages.push({ kind: "long", frame: found.frame });
    return found.length;
  }
}

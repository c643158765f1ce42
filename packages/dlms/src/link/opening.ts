import { concatBytes, NO_BYTES } from "../bytes.ts";
import { LONGEST_APDU_BYTES, llcLength, startsApdu } from "./apdu.ts";

/** Tags of array and structure: a bare value (an object list, a log's plaintext) begins with one of them. */
const BARE_VALUE_TAGS: ReadonlySet<number> = new Set([0x01, 0x02]);

/**
 * Keeps the octets from the beginning of the input for the case that no link is found in them: a bare APDU says nowhere
 * how long it is, so only the end of the input tells that the whole of it was one.
 */
export class Opening {
  #octets: Uint8Array = NO_BYTES;
  #length = 0;
  #given = false;

  append(chunk: Uint8Array): void {
    if (this.#given || chunk.length === 0) return;
    const length = this.#length + chunk.length;
    if (length > LONGEST_APDU_BYTES) {
      this.giveUp();
      return;
    }
    if (length > this.#octets.length) {
      const room = new Uint8Array(Math.max(length, this.#octets.length));
      this.#octets = concatBytes(this.#octets.subarray(0, this.#length), room);
    }
    this.#octets.set(chunk, this.#length);
    this.#length = length;
    const mayBegin =
      llcLength(this.#octets) > 0 || startsApdu(this.#octets[0]!) || BARE_VALUE_TAGS.has(this.#octets[0]!);
    // Two octets of an LLC header are no APDU yet, but may become one.
    if (!mayBegin && !(this.#octets[0] === 0xe6 && length < 4)) this.giveUp();
  }

  /** The octets kept, or undefined when they cannot be an APDU or a frame was found among them. */
  get octets(): Uint8Array | undefined {
    return this.#given || this.#length === 0 ? undefined : this.#octets.subarray(0, this.#length);
  }

  giveUp(): void {
    this.#given = true;
    this.#octets = NO_BYTES;
    this.#length = 0;
  }
}

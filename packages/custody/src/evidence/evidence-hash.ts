import { createHash, type Hash } from "node:crypto";

const HEADER_BYTES = 5;

/** Where an APDU and what stands before it come together while they are hashed; longer ones get a place of their own. */
const workspace = Buffer.alloc(1024);

/** Counts and a hash over the APDUs of a crypto session, as they went over the line: for its closing entry. */
export class EvidenceHash {
  readonly #hash: Hash = createHash("sha256");
  #toMeter = 0;
  #fromMeter = 0;

  sent(apdu: Uint8Array): void {
    this.#toMeter += 1;
    this.#add(0x00, apdu);
  }

  received(apdu: Uint8Array): void {
    this.#fromMeter += 1;
    this.#add(0x01, apdu);
  }

  /** For the ledger; the hash covers each APDU with its direction and length. */
  summary(): { readonly toMeter: number; readonly fromMeter: number; readonly sha256: string } {
    return { toMeter: this.#toMeter, fromMeter: this.#fromMeter, sha256: this.#hash.copy().digest("hex") };
  }

  #add(direction: number, apdu: Uint8Array): void {
    const end = HEADER_BYTES + apdu.length;
    const octets = end > workspace.length ? Buffer.allocUnsafe(end) : workspace;
    octets[0] = direction;
    octets.writeUInt32BE(apdu.length, 1);
    octets.set(apdu, HEADER_BYTES);
    this.#hash.update(end === octets.length ? octets : octets.subarray(0, end));
  }
}

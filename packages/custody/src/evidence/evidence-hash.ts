import { createHash, type Hash } from "node:crypto";
import type { OctetPlaces } from "../memory/octet-places.ts";

const HEADER_BYTES = 5;

/** Room for the requests of a short session, or for some ten beside long answers. */
export const EVIDENCE_PLACE_BYTES = 512;

/** Where an APDU and what stands before it come together while they are hashed; longer ones get a place of their own. */
const workspace = Buffer.alloc(1024);

/**
 * Counts and a hash over the APDUs of a crypto session, as they went over the line: for its closing entry.
 *
 * With a place, what came last waits there and is hashed when that is full: a hash is several objects, some of them OpenSSL's,
 * and most requests of very many sessions need to touch none of them. Whoever gave a place disposes of it.
 */
export class EvidenceHash implements Disposable {
  readonly #places: OctetPlaces | undefined;
  #place: number | undefined;
  /** Octets that wait in the place. */
  #waiting = 0;
  #hash: Hash | undefined;
  #toMeter = 0;
  #fromMeter = 0;

  /** `places` are of `EVIDENCE_PLACE_BYTES`. */
  constructor(places?: OctetPlaces) {
    this.#places = places;
    this.#place = places?.take();
  }

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
    return { toMeter: this.#toMeter, fromMeter: this.#fromMeter, sha256: this.#hashed().copy().digest("hex") };
  }

  /** What comes later is in no entry, and the place another's. */
  [Symbol.dispose](): void {
    if (this.#place !== undefined) this.#places?.giveBack(this.#place);
    this.#place = undefined;
    this.#waiting = 0;
  }

  #add(direction: number, apdu: Uint8Array): void {
    const end = HEADER_BYTES + apdu.length;
    if (this.#place === undefined || end > EVIDENCE_PLACE_BYTES) {
      const octets = end > workspace.length ? new Uint8Array(end) : workspace;
      write(octets, 0, direction, apdu);
      this.#hashed().update(end === octets.length ? octets : octets.subarray(0, end));
      return;
    }
    if (this.#waiting + end > EVIDENCE_PLACE_BYTES) this.#hashed();
    const places = this.#places as OctetPlaces;
    write(places.page(this.#place), places.at(this.#place) + this.#waiting, direction, apdu);
    this.#waiting += end;
  }

  /** The hash over all of it. */
  #hashed(): Hash {
    this.#hash ??= createHash("sha256");
    if (this.#place !== undefined && this.#waiting > 0) {
      const places = this.#places as OctetPlaces;
      const at = places.at(this.#place);
      this.#hash.update(places.page(this.#place).subarray(at, at + this.#waiting));
      this.#waiting = 0;
    }
    return this.#hash;
  }
}

function write(out: Uint8Array, at: number, direction: number, apdu: Uint8Array): void {
  const { length } = apdu;
  out[at] = direction;
  out[at + 1] = length >>> 24;
  out[at + 2] = length >>> 16;
  out[at + 3] = length >>> 8;
  out[at + 4] = length;
  out.set(apdu, at + HEADER_BYTES);
}

import type { SecretKey } from "@meterkeep/dlms-node";
import { OctetPlaces } from "../memory/octet-places.ts";

const MOST_KEYS = 2;
const MOST_KEY_BYTES = 32;
// Of each key its length and its octets. Of two keys of 16 octets all is within one line of the cache.
const KEY_PLACE_BYTES = 1 + MOST_KEY_BYTES;
const PLACE_BYTES = 128;

/**
 * Working keys of open sessions in clear, side by side, for as long as each session keeps them. They are octets and not objects
 * of OpenSSL: what such an object holds is wiped when it is collected, a place when it is given back.
 */
export class KeptKeys {
  readonly #places = new OctetPlaces(PLACE_BYTES);
  /** Where the keys of one session stand while work is done with them: its views are kept while keys have one length. */
  readonly #desk = new Uint8Array(new ArrayBuffer(MOST_KEYS * MOST_KEY_BYTES));
  #first = this.#desk.subarray(0, 0);
  #second = this.#desk.subarray(MOST_KEY_BYTES, MOST_KEY_BYTES);

  #isLent = false;

  /** How many sessions have keys here. */
  get size(): number {
    return this.#places.size;
  }

  /** Keeps one key or two, which stay the caller's; gives their place. */
  keep(keys: readonly SecretKey[]): number {
    if (keys.length > MOST_KEYS || keys.some(({ length }) => length > MOST_KEY_BYTES))
      throw new RangeError(`a session keeps ${MOST_KEYS} keys of ${MOST_KEY_BYTES} octets at most`);
    const place = this.#places.take();
    const page = this.#places.page(place);
    for (const [number, key] of keys.entries()) {
      const at = this.#places.at(place) + number * KEY_PLACE_BYTES;
      page[at] = key.length;
      key.lend((octets) => page.set(octets, at + 1));
    }
    return place;
  }

  /** Lends the keys of a place, in their order, for the time of a call, which lends no others; the second is empty where there is one. */
  lend<T>(place: number, use: (first: Uint8Array, second: Uint8Array) => T): T {
    // They stand in one place: a call would go on with another meter's.
    if (this.#isLent) throw new Error("keys of a session are lent already");
    const page = this.#places.page(place);
    const at = this.#places.at(place);
    const [first, second] = [page[at] as number, page[at + KEY_PLACE_BYTES] as number];
    if (this.#first.length !== first) this.#first = this.#desk.subarray(0, first);
    if (this.#second.length !== second) this.#second = this.#desk.subarray(MOST_KEY_BYTES, MOST_KEY_BYTES + second);
    const desk = this.#desk;
    this.#isLent = true;
    try {
      for (let each = 0; each < first; each += 1) desk[each] = page[at + 1 + each] as number;
      for (let each = 0; each < second; each += 1)
        desk[MOST_KEY_BYTES + each] = page[at + KEY_PLACE_BYTES + 1 + each] as number;
      return use(this.#first, this.#second);
    } finally {
      desk.fill(0);
      this.#isLent = false;
    }
  }

  /** Wipes the keys of a place and gives it back. */
  drop(place: number): void {
    this.#places.giveBack(place);
  }
}

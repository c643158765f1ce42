const PLACES_A_PAGE = 2048;

/**
 * Places of one length for octets, side by side in pages, each known by its number. Of tens of thousands of sessions each is
 * looked at once in a while: an array of its own is an object, what that points to and a buffer, and each of them a miss of
 * cache and page table at the first look; a place is one (ADR 0069).
 */
export class OctetPlaces {
  readonly #bytes: number;
  readonly #pages: Uint8Array[] = [];
  readonly #free: number[] = [];
  /** Whether somebody has it, by number. */
  readonly #isTaken: boolean[] = [];

  /** `bytes` is the length of each. */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** How many are taken. */
  get size(): number {
    return this.#isTaken.length - this.#free.length;
  }

  /** A place that is all zero. */
  take(): number {
    const place = this.#free.pop() ?? this.#isTaken.length;
    if (place === this.#pages.length * PLACES_A_PAGE)
      this.#pages.push(new Uint8Array(new ArrayBuffer(this.#bytes * PLACES_A_PAGE)));
    this.#isTaken[place] = true;
    return place;
  }

  /** Wipes a place and gives it back. @throws RangeError where nobody has it: two must never share one */
  giveBack(place: number): void {
    if (this.#isTaken[place] !== true) throw new RangeError(`place ${place} is nobody's`);
    const at = this.at(place);
    this.page(place).fill(0, at, at + this.#bytes);
    this.#isTaken[place] = false;
    this.#free.push(place);
  }

  /** The page that a place is on. */
  page(place: number): Uint8Array {
    return this.#pages[Math.floor(place / PLACES_A_PAGE)] as Uint8Array;
  }

  /** Where on its page a place begins. */
  at(place: number): number {
    return (place % PLACES_A_PAGE) * this.#bytes;
  }
}

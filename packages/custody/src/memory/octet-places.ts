const PLACES_A_PAGE = 2048;

interface Page {
  readonly octets: Uint8Array;
  /** Whether somebody has it, by place. */
  readonly isTaken: Uint8Array;
  /** Places that nobody has; the first `count` of them are so. */
  readonly free: Uint16Array;
  count: number;
}

/**
 * Places of one length for octets, side by side in pages, each known by its number. Of tens of thousands of sessions each is
 * looked at once in a while: an array of its own is an object, what that points to and a buffer, and each of them a miss of
 * cache and page table at the first look; a place is one (ADR 0069).
 *
 * What is taken comes from the first page with room, so that the last ones run empty; of pages on which nobody has anything one
 * is kept for who comes next, and the others are let go. A place never moves, and its number is nobody else's while it is taken.
 */
export class OctetPlaces {
  readonly #bytes: number;
  readonly #pages: (Page | undefined)[] = [];
  #size = 0;
  /** No page before this has room. */
  #first = 0;
  /** The page on which nobody has anything. */
  #empty: number | undefined;

  /** `bytes` is the length of each. */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** How many are taken. */
  get size(): number {
    return this.#size;
  }

  /** Octets of all pages, whoever has places on them. */
  get pageBytes(): number {
    return this.#pages.reduce((sum, page) => sum + (page?.octets.length ?? 0), 0);
  }

  /** A place that is all zero. */
  take(): number {
    const [number, page] = this.#withRoom();
    page.count -= 1;
    const place = page.free[page.count] as number;
    page.isTaken[place] = 1;
    if (this.#empty === number) this.#empty = undefined;
    this.#size += 1;
    return number * PLACES_A_PAGE + place;
  }

  /** Wipes a place and gives it back. @throws RangeError where nobody has it: two must never share one */
  giveBack(place: number): void {
    const number = Math.floor(place / PLACES_A_PAGE);
    const page = this.#pages[number];
    const own = place - number * PLACES_A_PAGE;
    if (page?.isTaken[own] !== 1) throw new RangeError(`place ${place} is nobody's`);
    const at = this.at(place);
    page.octets.fill(0, at, at + this.#bytes);
    page.isTaken[own] = 0;
    page.free[page.count] = own;
    page.count += 1;
    this.#size -= 1;
    this.#first = Math.min(this.#first, number);
    if (page.count === PLACES_A_PAGE) this.#emptied(number);
  }

  /** The page that a place is on. */
  page(place: number): Uint8Array {
    return (this.#pages[Math.floor(place / PLACES_A_PAGE)] as Page).octets;
  }

  /** Where on its page a place begins. */
  at(place: number): number {
    return (place % PLACES_A_PAGE) * this.#bytes;
  }

  /** The first page with room; one that was let go is made anew only where no other has any. */
  #withRoom(): readonly [number: number, page: Page] {
    let gone: number | undefined;
    for (let number = this.#first; number < this.#pages.length; number += 1) {
      const page = this.#pages[number];
      if (page === undefined) gone ??= number;
      else if (page.count > 0) {
        if (gone === undefined) this.#first = number;
        return [number, page];
      }
    }
    const number = gone ?? this.#pages.length;
    const page = newPage(this.#bytes);
    this.#pages[number] = page;
    this.#first = number;
    return [number, page];
  }

  /** Of two pages without anybody's places the later is let go. */
  #emptied(number: number): void {
    const other = this.#empty;
    this.#empty = Math.min(number, other ?? number);
    if (other === undefined) return;
    this.#pages[Math.max(number, other)] = undefined;
    while (this.#pages.length > 0 && this.#pages.at(-1) === undefined) this.#pages.pop();
  }
}

function newPage(bytes: number): Page {
  return {
    octets: new Uint8Array(new ArrayBuffer(bytes * PLACES_A_PAGE)),
    isTaken: new Uint8Array(PLACES_A_PAGE),
    free: Uint16Array.from({ length: PLACES_A_PAGE }, (_, at) => PLACES_A_PAGE - 1 - at),
    count: PLACES_A_PAGE,
  };
}

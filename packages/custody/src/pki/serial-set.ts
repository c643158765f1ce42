import { createHash } from "node:crypto";

const FIRST_PLACES = 1024;

/**
 * Serial numbers that were revoked, by authority: 64 bits of a hash each, in one packed table, so that a million take
 * 16 MB. What is in it is never taken out. By chance one certificate in ten million millions is taken for one of a
 * million that were revoked, and refused.
 */
export class SerialSet {
  #places = new BigUint64Array(FIRST_PLACES);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** False where it was there. */
  add(authority: string, serial: string): boolean {
    if (this.#size * 2 >= this.#places.length) this.#grow();
    if (!put(this.#places, hashOf(authority, serial))) return false;
    this.#size += 1;
    return true;
  }

  has(authority: string, serial: string): boolean {
    const hash = hashOf(authority, serial);
    return this.#places[placeOf(this.#places, hash)] === hash;
  }

  #grow(): void {
    const wider = new BigUint64Array(this.#places.length * 2);
    for (const hash of this.#places) if (hash !== 0n) put(wider, hash);
    this.#places = wider;
  }
}

function put(places: BigUint64Array, hash: bigint): boolean {
  const at = placeOf(places, hash);
  if (places[at] === hash) return false;
  places[at] = hash;
  return true;
}

/** Where a hash stands, or would stand. */
function placeOf(places: BigUint64Array, hash: bigint): number {
  let at = Number(hash & BigInt(places.length - 1));
  while (places[at] !== 0n && places[at] !== hash) at = (at + 1) & (places.length - 1);
  return at;
}

function hashOf(authority: string, serial: string): bigint {
  const hash = createHash("sha256").update(`${authority}/${serial}`).digest().readBigUInt64LE();
  // Nought is the empty place.
  return hash === 0n ? 1n : hash;
}

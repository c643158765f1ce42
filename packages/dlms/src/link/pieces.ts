import { concatBytes } from "../bytes.ts";

/** Octets of an APDU, and where they stood in the stream. */
export interface Piece {
  readonly octets: Uint8Array;
  /** Stream offset of the first octet. */
  readonly offset: number;
}

/** Joins pieces; a single one is not copied. */
export function joinPieces(pieces: readonly Piece[]): Uint8Array {
  const only = pieces.length === 1 ? pieces[0] : undefined;
  return only?.octets ?? concatBytes(...pieces.map((piece) => piece.octets));
}

/** How many octets pieces have together. */
export function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.octets.length, 0);
}

/** Pieces without their first `count` octets. */
export function withoutFirst(pieces: readonly Piece[], count: number): Piece[] {
  const left: Piece[] = [];
  let skip = count;
  for (const piece of pieces) {
    const cut = Math.min(skip, piece.octets.length);
    skip -= cut;
    if (cut < piece.octets.length) left.push({ octets: piece.octets.subarray(cut), offset: piece.offset + cut });
  }
  return left;
}

/** Where in the stream the octet `at` of the joined pieces stood; the end of the last piece for what lies behind. */
export function locate(pieces: readonly Piece[], at: number): number {
  let rest = at;
  for (const piece of pieces) {
    if (rest < piece.octets.length) return piece.offset + rest;
    rest -= piece.octets.length;
  }
  const last = pieces.at(-1);
  return last === undefined ? 0 : last.offset + last.octets.length;
}

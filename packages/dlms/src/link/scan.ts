import type { Fault } from "./fault.ts";

/** What a recogniser says about the octets at one position. */
export type Recognition<F> =
  /** A whole frame whose checks hold; `length` octets are used up. */
  | { readonly kind: "frame"; readonly frame: F; readonly length: number }
  /** Looks like a frame so far; nothing new can be said before `need` octets are there. */
  | { readonly kind: "more"; readonly need: number; readonly fault: Fault; readonly certain: boolean }
  /**
   * A frame that fails a check. Where `certain`, there is no doubt that this was meant to be a frame of `length`
   * octets; otherwise it may as well be noise that happens to begin like one.
   */
  | { readonly kind: "damaged"; readonly fault: Fault; readonly length: number; readonly certain: boolean };

/** Where a recogniser looks. */
export interface Place {
  readonly bytes: Uint8Array;
  /** First octet to look at. */
  readonly at: number;
  /** End of the octets that have arrived. */
  readonly end: number;
  /** Offset of `bytes[0]` in the stream, for faults. */
  readonly base: number;
}

/** Looks for a frame of one kind at one place; undefined when what is there does not begin like one. */
export type Recogniser<F> = (place: Place) => Recognition<F> | undefined;

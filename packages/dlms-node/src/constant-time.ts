import { timingSafeEqual } from "node:crypto";

/** Compares secrets or tags without telling by its timing where they differ. Different lengths are unequal. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

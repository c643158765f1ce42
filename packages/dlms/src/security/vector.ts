import type { AdditionalData, Vector } from "./ports.ts";
import { IV_BYTES } from "./suites.ts";

// How a platform's adapter puts together what the port gives it in parts.

/** Writes the 12 octets of a vector. */
export function writeVector({ originator, counter }: Vector, out: Uint8Array, at: number): void {
  out.set(originator, at);
  const counterAt = at + originator.length;
  out[counterAt] = counter >>> 24;
  out[counterAt + 1] = counter >>> 16;
  out[counterAt + 2] = counter >>> 8;
  out[counterAt + 3] = counter;
}

/** A vector as octets of its own. */
export function vectorOctets(vector: Vector): Uint8Array {
  const octets = new Uint8Array(IV_BYTES);
  writeVector(vector, octets, 0);
  return octets;
}

/** Octets that additional data takes. */
export function additionalDataLength({ authentication, associated, text }: AdditionalData): number {
  return 1 + authentication.length + (associated?.length ?? 0) + (text?.length ?? 0);
}

/** Writes additional data. */
export function writeAdditionalData(data: AdditionalData, out: Uint8Array, at: number): void {
  const { control, authentication, associated, text } = data;
  out[at] = control;
  out.set(authentication, at + 1);
  let end = at + 1 + authentication.length;
  if (associated !== undefined) {
    out.set(associated, end);
    end += associated.length;
  }
  if (text !== undefined) out.set(text, end);
}

/** Additional data as octets of its own: they hold the authentication key, so wipe them. */
export function additionalDataOctets(data: AdditionalData): Uint8Array {
  const octets = new Uint8Array(additionalDataLength(data));
  writeAdditionalData(data, octets, 0);
  return octets;
}

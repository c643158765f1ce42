import { fromHex } from "@meterkeep/dlms";
import type { Dispersion } from "./header.ts";

/** SHA-384 of octets. */
export type Sha384 = (octets: Uint8Array) => Uint8Array;

/**
 * The delay of a target, in seconds: geometric, so that an attack can be stopped while it unfolds and no edge is left that a
 * grid could resonate with (MC-12). It follows from the seed in the manifest and the meter, and anybody can compute it again.
 */
export function delayOf(
  dispersion: Exclude<Dispersion, { kind: "listed" }>,
  systemTitle: string,
  sha384: Sha384,
): number {
  if (dispersion.kind === "none") return 0;
  const { seed, meanSeconds, capSeconds } = dispersion;
  const digest = sha384(Uint8Array.of(...fromHex(seed), ...fromHex(systemTitle)));
  let numerator = 0;
  for (const octet of digest.subarray(0, 6)) numerator = numerator * 256 + octet;
  const uniform = numerator / 2 ** 48;
  return Math.min(capSeconds, Math.floor(-meanSeconds * Math.log(1 - uniform)));
}

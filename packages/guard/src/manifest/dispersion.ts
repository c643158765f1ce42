import { fromHex } from "@meterkeep/dlms";
import { hashFraction, type Sha384 } from "../hash-fraction.ts";
import type { Dispersion } from "./header.ts";

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
  const uniform = hashFraction(Uint8Array.of(...fromHex(seed), ...fromHex(systemTitle)), sha384);
  return Math.min(capSeconds, Math.floor(-meanSeconds * Math.log(1 - uniform)));
}

import { weaknessOf } from "@meterkeep/dlms";
import type { SecretKey } from "@meterkeep/dlms-node";

/** Why a key is weaker than it looks, as a sentence without its subject that does not tell the key. */
export function weakness(key: SecretKey): string | undefined {
  return key.lend((octets) => weaknessOf(octets) ?? (repeats(octets) ? "is a short pattern repeated" : undefined));
}

function repeats(octets: Uint8Array): boolean {
  return [2, 4, 8].some((length) => octets.every((octet, at) => octet === octets[at % length]));
}

import { weaknessOf } from "@meterkeep/dlms";
import type { SecretKey } from "@meterkeep/dlms-node";
import { SECRET } from "../store/records.ts";

const LEAST_PASSWORD = 8;

/** Why a key is weaker than it looks, as a sentence without its subject that does not tell the key. */
export function weakness(key: SecretKey, purpose: number): string | undefined {
  return key.lend((octets) => {
    // That a password is text says nothing against it, unlike what it is.
    const isPassword = purpose === SECRET.LLS;
    const found = weaknessOf(isPassword ? octets.map((octet) => octet | 0x80) : octets);
    if (found !== undefined) return found;
    if (isPassword && octets.length < LEAST_PASSWORD) return `has fewer than ${LEAST_PASSWORD} characters`;
    return repeats(octets) ? "is a short pattern repeated" : undefined;
  });
}

function repeats(octets: Uint8Array): boolean {
  return [2, 4, 8].some(
    (length) => length < octets.length && octets.every((octet, at) => octet === octets[at % length]),
  );
}

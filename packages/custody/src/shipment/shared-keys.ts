import { isUnique } from "../keys/purposes.ts";
import { FIRST_SETUP, type KeyRecord, PURPOSE } from "../store/records.ts";
import { ShipmentRefusal } from "./refusal.ts";

/**
 * Refuses a meter of which two security setups share a key that should be one setup's alone: to change it in one would leave
 * the door of the other open.
 *
 * @param checkValues of its keys that no two may share, in their order
 */
export function requireOwnKeys(
  systemTitle: string,
  line: number,
  keys: readonly Pick<KeyRecord, "purpose" | "setup">[],
  checkValues: readonly Uint8Array[],
): void {
  // Nearly all meters have one.
  if (keys.every(({ purpose, setup }) => purpose > PURPOSE.KEK || setup === FIRST_SETUP)) return;
  const setups = new Map<string, number>();
  for (const [at, { purpose, setup }] of keys.filter((key) => isUnique(key.purpose)).entries()) {
    if (purpose > PURPOSE.KEK) continue;
    const value = Buffer.from(checkValues[at] ?? []).toString("hex");
    const known = setups.get(value) ?? setup;
    if (known !== setup) {
      const message = `line ${line}, meter ${systemTitle}: its security setups ${known} and ${setup} share a key`;
      throw new ShipmentRefusal("meter-key-shared", line, message, { systemTitle });
    }
    setups.set(value, setup);
  }
}

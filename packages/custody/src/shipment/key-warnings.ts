import { KEY_PURPOSES, type KeyWarning } from "@meterkeep/api/custodian";
import { fromHex, systemTitle as titleOf } from "@meterkeep/dlms";
import { weakness } from "../keys/key-hygiene.ts";
import type { BlockKey } from "./key-block.ts";

/** What is weak among the keys that come with a meter: they are taken all the same. */
export function keyWarnings(systemTitle: string, keys: readonly BlockKey[]): KeyWarning[] {
  return keys.flatMap(({ purpose, setup, key }) => {
    const why = weakness(key, purpose);
    const where = setup === undefined ? "" : ` of security setup ${setup}`;
    const name = `${KEY_PURPOSES[purpose] ?? purpose}${where}`;
    return why === undefined
      ? []
      : [
          {
            systemTitle: titleOf(fromHex(systemTitle)),
            purpose: KEY_PURPOSES[purpose] ?? String(purpose),
            message: `The ${name} ${why}.`,
          },
        ];
  });
}

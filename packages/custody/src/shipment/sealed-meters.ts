import { fromHex } from "@meterkeep/dlms";
import { isUnique } from "../keys/purposes.ts";
import { withMeterMacs } from "../records/record-mac.ts";
import { type KeyRecord, type MeterRecord, PURPOSE, type PurposeNumber } from "../store/records.ts";
import type { StagedMeter } from "../store/store.ts";
import type { PlacedKey, Vault } from "../vault/vault.ts";
import { type BlockKey, setupOf } from "./key-block.ts";

/** Seals the keys of meters for their places and disposes of them. */
export async function sealMeters(
  vault: Vault,
  meters: readonly { readonly meter: MeterRecord; readonly keys: readonly BlockKey[] }[],
  origin: "imported" | "derived" = "imported",
): Promise<StagedMeter[]> {
  try {
    const placed: PlacedKey[] = meters.flatMap(({ meter, keys }) =>
      keys.map((key) => ({
        place: {
          ...meter,
          systemTitle: fromHex(meter.systemTitle),
          setup: setupOf(key),
          purpose: key.purpose,
          version: 1,
        },
        key: key.key,
      })),
    );
    const sealed = await vault.seal(placed);
    const values = await vault.checkValues(placed.map(({ key }) => key));
    const known = await withMeterMacs(
      vault,
      meters.map(({ meter }) => meter),
    );
    let at = 0;
    return meters.map(({ meter, keys }, index) => {
      const from = at;
      at += keys.length;
      return {
        meter: known[index] as MeterRecord,
        keys: keys.map((key, nth) => importedKey(meter, key, sealed[from + nth] as Uint8Array, origin)),
        // The broadcast key is shared by design.
        checkValues: values.slice(from, at).filter((_, nth) => isUnique(keys[nth]?.purpose as number)),
      };
    });
  } finally {
    for (const { keys } of meters) for (const { key } of keys) key[Symbol.dispose]();
  }
}

function importedKey(meter: MeterRecord, key: BlockKey, sealed: Uint8Array, origin: "imported" | "derived"): KeyRecord {
  const { purpose } = key;
  return {
    utility: meter.utility,
    island: meter.island,
    systemTitle: meter.systemTitle,
    setup: setupOf(key),
    purpose: purpose as PurposeNumber,
    version: 1,
    state: "active",
    // What stands beside the keys of security setups came in the file.
    origin: purpose <= PURPOSE.KEK ? origin : "imported",
    sealed,
    createdAt: meter.createdAt,
    provenAt: undefined,
  };
}

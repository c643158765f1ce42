import { KEY_PURPOSES } from "@meterkeep/api/custodian";
import { fromHex } from "@meterkeep/dlms";
import { CustodyError } from "../errors.ts";
import { type DerivationInput, fixedInput } from "../vault/derivation.ts";
import type { Vault } from "../vault/vault.ts";
import { masterName } from "./factory-master.ts";
import type { FactoryMasters } from "./factory-masters.ts";
import { COMPLETE_BLOCK, keyBytesOfSuite } from "./key-block.ts";
import { checkValuesOf, type ShipmentHeader, type ShippedMeter } from "./reader.ts";
import { ShipmentRefusal } from "./refusal.ts";

/** What the key of a purpose is derived from beside the master: its label has the purpose, its context is the meter. */
export function factoryKeyInput(systemTitle: string, purpose: number, securitySuite: number): DerivationInput {
  const bytes = keyBytesOfSuite(securitySuite);
  return { fixed: fixedInput(`meterkeep-factory-1/${KEY_PURPOSES[purpose]}`, fromHex(systemTitle), bytes), bytes };
}

/**
 * Gives the meters of a shipment without keys those that follow from its manufacturer's master, each held against the check
 * value that its line has.
 *
 * @throws ShipmentRefusal `shipment-master-unknown` also where it is held and not active, `meter-check-value-wrong`
 */
export async function withDerivedKeys(
  { vault, masters }: { readonly vault: Pick<Vault, "derive">; readonly masters: Pick<FactoryMasters, "stateOf"> },
  { master, manufacturer }: Pick<ShipmentHeader, "master" | "manufacturer">,
  meters: readonly ShippedMeter[],
): Promise<readonly ShippedMeter[]> {
  if (master === undefined || meters.length === 0) return meters;
  const name = masterName(manufacturer.keyId, master);
  const state = await masters.stateOf(name);
  if (state !== undefined && state !== "active") {
    const message = `its keys are derived from master ${master} of ${manufacturer.name}, which is ${state} here: nothing is derived from it`;
    throw new ShipmentRefusal("shipment-master-unknown", 0, message);
  }
  const inputs = meters.flatMap(({ systemTitle, securitySuite }) =>
    COMPLETE_BLOCK.map((purpose) => factoryKeyInput(systemTitle, purpose, securitySuite)),
  );
  const derived = await vault.derive(name, inputs).catch((cause: unknown) => {
    if (!(cause instanceof CustodyError && cause.code === "vault-key-unknown")) throw cause;
    const message = `its keys are derived from master ${master} of ${manufacturer.name}, which is not held here: take that in first`;
    throw new ShipmentRefusal("shipment-master-unknown", 0, message, { cause });
  });
  const whole = meters.map((meter, at) => {
    const own = derived.slice(at * COMPLETE_BLOCK.length, (at + 1) * COMPLETE_BLOCK.length);
    const setup = own.map((key, nth) => ({ purpose: COMPLETE_BLOCK[nth] as number, key }));
    return { ...meter, keys: [...setup, ...meter.keys] };
  });
  const wrong = whole.find(({ keys, systemTitle, check }) => checkValuesOf(keys, systemTitle).join() !== check.join());
  if (wrong === undefined) return whole;
  for (const key of derived) key[Symbol.dispose]();
  const { line, systemTitle } = wrong;
  const message = `line ${line}, meter ${systemTitle}: a check value is not that of the key that follows from the master`;
  throw new ShipmentRefusal("meter-check-value-wrong", line, message, { systemTitle });
}

import { KEY_PURPOSES } from "@meterkeep/api/custodian";
import { fromHex } from "@meterkeep/dlms";
import { CustodyError } from "../errors.ts";
import { type DerivationInput, fixedInput } from "../vault/derivation.ts";
import type { Vault } from "../vault/vault.ts";
import { masterName } from "./factory-master.ts";
import type { FactoryMasters } from "./factory-masters.ts";
import { COMPLETE_BLOCK, keyBytesOfSuite } from "./key-block.ts";
import { hasCheckValues, type ShipmentHeader, type ShippedMeter } from "./reader.ts";
import { ShipmentRefusal } from "./refusal.ts";

/** What the key of a purpose is derived from beside the master: its label has the purpose, and the security setup unless that is the first; its context is the meter. */
export function factoryKeyInput(
  systemTitle: string,
  purpose: number,
  securitySuite: number,
  setup?: number,
): DerivationInput {
  const bytes = keyBytesOfSuite(securitySuite);
  const label = `meterkeep-factory-1/${KEY_PURPOSES[purpose]}${setup === undefined ? "" : `/${setup}`}`;
  return { fixed: fixedInput(label, fromHex(systemTitle), bytes), bytes };
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
  const places = meters.map(({ setups }) =>
    [undefined, ...setups.map(({ setup }) => setup)].flatMap((setup) =>
      COMPLETE_BLOCK.map((purpose) => ({ purpose, ...(setup !== undefined && { setup }) })),
    ),
  );
  const inputs = meters.flatMap(({ systemTitle, securitySuite }, at) =>
    (places[at] as (typeof places)[0]).map(({ purpose, setup }) =>
      factoryKeyInput(systemTitle, purpose, securitySuite, setup),
    ),
  );
  const derived = await vault.derive(name, inputs).catch((cause: unknown) => {
    if (!(cause instanceof CustodyError && cause.code === "vault-key-unknown")) throw cause;
    const message = `its keys are derived from master ${master} of ${manufacturer.name}, which is not held here: take that in first`;
    throw new ShipmentRefusal("shipment-master-unknown", 0, message, { cause });
  });
  let from = 0;
  const whole = meters.map((meter, at) => {
    const own = (places[at] as (typeof places)[0]).map((place, nth) => ({
      ...place,
      key: derived[from + nth] as (typeof derived)[0],
    }));
    from += own.length;
    return { ...meter, keys: [...own, ...meter.keys] };
  });
  const wrong = whole.find(({ keys, systemTitle, check, setups }) => !hasCheckValues(keys, systemTitle, check, setups));
  if (wrong === undefined) return whole;
  for (const key of derived) key[Symbol.dispose]();
  const { line, systemTitle } = wrong;
  const message = `line ${line}, meter ${systemTitle}: a check value is not that of the key that follows from the master`;
  throw new ShipmentRefusal("meter-check-value-wrong", line, message, { systemTitle });
}

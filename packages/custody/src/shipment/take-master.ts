import type { CustodianRequest, CustodianResponse } from "@meterkeep/api/custodian";
import type { Changes } from "../authority/changes.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { CustodyError } from "../errors.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { Committer } from "../store/committer.ts";
import type { Vault } from "../vault/vault.ts";
import { masterName, openFactoryMaster } from "./factory-master.ts";
import { type FactoryMasters, MASTER_ACCEPTED } from "./factory-masters.ts";
import type { ShipmentTrust } from "./reader.ts";
import { ShipmentRefusal } from "./refusal.ts";

/** What a master is taken in with. */
export interface MasterDependencies {
  readonly vault: Pick<Vault, "takeMaster" | "derive">;
  readonly committer: Pick<Committer, "submit">;
  readonly changes: Pick<Changes, "require">;
  readonly masters: Pick<FactoryMasters, "stateOf" | "learn">;
  readonly trust: ShipmentTrust;
  readonly now: () => number;
}

/**
 * Takes in the master that a manufacturer derives factory keys from, so that its shipments need not carry them. What is
 * derived from it opens meters until they are taken over, and nothing of ours afterwards.
 *
 * @throws CallRefusal `request-malformed`, `approval-required`, `key-transition-refused`
 */
export async function takeMaster(
  { vault, committer, changes, masters, trust, now }: MasterDependencies,
  { file }: CustodianRequest<"takeFactoryMaster">,
  caller: Caller,
): Promise<CustodianResponse<"takeFactoryMaster">> {
  const { master, manufacturer, key } = await opened(file, trust);
  using secret = key;
  const name = masterName(manufacturer.keyId, master);
  const state = await masters.stateOf(name);
  if (state?.startsWith("destroyed"))
    throw new CallRefusal(
      "key-transition-refused",
      `master ${master} of ${manufacturer.name} is ${state}: it stays so`,
    );
  if (await isHeld(vault, name)) return { master, manufacturer: manufacturer.name };
  const about = { master, manufacturer: manufacturer.name, manufacturerKey: manufacturer.keyId };
  await changes.require("take-factory-master", about, caller, `master ${master}`);
  await committer.submit({ entries: [installationEntry(now(), MASTER_ACCEPTED, caller.name, about)] });
  masters.learn();
  await vault.takeMaster(name, secret);
  return { master, manufacturer: manufacturer.name };
}

async function isHeld(vault: Pick<Vault, "derive">, name: string): Promise<boolean> {
  try {
    await vault.derive(name, []);
    return true;
  } catch (error) {
    if (error instanceof CustodyError && error.code === "vault-key-unknown") return false;
    throw error;
  }
}

async function opened(file: string, trust: ShipmentTrust) {
  try {
    return await openFactoryMaster(Buffer.from(file.replace(/\n$/, ""), "utf8"), trust);
  } catch (cause) {
    if (cause instanceof ShipmentRefusal) throw new CallRefusal("request-malformed", cause.message, { cause });
    throw cause;
  }
}

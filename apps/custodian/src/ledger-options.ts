import type { CustodianConfig } from "@meterkeep/api/supervisor";
import { CustodyError, type LedgerOptions } from "@meterkeep/custody";
import { fileWitness, instanceWitness, keysFromJson, type Witness } from "@meterkeep/ledger";

type WitnessConfig = NonNullable<NonNullable<CustodianConfig["ledger"]>["witnesses"]>[number];

/** What the configuration says of the ledger. @throws CustodyError `custodian-config-invalid` for a witness that is none. */
export function ledgerOptions({ ledger = {} }: Pick<CustodianConfig, "ledger">): LedgerOptions {
  const { everyEntries, everySeconds, latestCheckpointSeconds, longestAwaySeconds } = ledger;
  const { patrolEntriesPerSecond, witnesses = [], approvers = [] } = ledger;
  return {
    settings: {
      ...(everyEntries !== undefined && { everyEntries }),
      ...(everySeconds !== undefined && { everySeconds }),
      ...(latestCheckpointSeconds !== undefined && { latestSeconds: latestCheckpointSeconds }),
      ...(longestAwaySeconds !== undefined && { longestAwaySeconds }),
    },
    ...(patrolEntriesPerSecond !== undefined && { patrol: { entriesPerSecond: patrolEntriesPerSecond } }),
    witnesses: witnesses.map(witnessOf),
    approvers,
  };
}

function witnessOf({ name, path, address, keys, certificate }: WitnessConfig): Witness {
  if (path !== undefined && address === undefined) return fileWitness(name, path);
  if (address === undefined || keys === undefined || path !== undefined)
    throw new CustodyError(
      "custodian-config-invalid",
      `witness ${name} has either a "path", or an "address" and the "keys" of its witness.json`,
    );
  return instanceWitness({ name, address, keys: keysFromJson(JSON.parse(keys)), certificate });
}

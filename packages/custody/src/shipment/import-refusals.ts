import type { ShipmentRefusalCode } from "@meterkeep/api/custodian";
import type { EntryBursts } from "../evidence/entry-bursts.ts";
import type { StageConflict } from "../store/store.ts";
import { entry, type ImportPlace } from "./import-place.ts";
import { ShipmentRefusal } from "./refusal.ts";

const CONFLICTS: Readonly<Record<StageConflict["problem"], readonly [ShipmentRefusalCode, string]>> = {
  "in-custody": ["meter-already-in-custody", "is in custody already"],
  "in-file": ["meter-duplicate-in-file", "stands twice in the shipment"],
  "key-shared": ["meter-key-shared", "shares a key with another meter"],
};

/** What stands in the way of a staged meter, as a refusal of its line; 0 where it came without a file. */
export function refusalOf({ systemTitle, problem }: StageConflict, line: number): ShipmentRefusal {
  const [code, words] = CONFLICTS[problem];
  const where = line === 0 ? "" : `line ${line}, `;
  return new ShipmentRefusal(code, line, `${where}meter ${systemTitle} ${words}`, { systemTitle });
}

/** What was thrown, where it is a refusal: another import may have been quicker. */
export function asRefusal(error: unknown): ShipmentRefusal | undefined {
  if (error instanceof ShipmentRefusal) return error;
  if ((error as { code?: string }).code !== "custody-write-conflict") return undefined;
  return new ShipmentRefusal("shipment-already-imported", 0, "it, or a part of it, has just been imported", {
    cause: error,
  });
}

/** Writes a refusal into the ledger. */
export async function recordRefusal(
  { bursts, now }: { readonly bursts: Pick<EntryBursts, "record">; readonly now: () => number },
  place: ImportPlace,
  kind: string,
  { code, line, systemTitle, message }: ShipmentRefusal,
): Promise<void> {
  const draft = entry(now(), kind, place, { code, line, message });
  await bursts.record([systemTitle === undefined ? draft : { ...draft, meter: systemTitle }]);
}

import { join } from "node:path";
import { fileWitness, type Witness } from "@meterkeep/ledger";

/** The folder in the state folder that is the ledger's. */
export const LEDGER_FOLDER = "ledger";

/** The nearest witness, which every custodian has: it notices when the database alone is restored. */
export function nearWitness(stateFolder: string): Witness {
  return fileWitness("state-directory", join(stateFolder, LEDGER_FOLDER, "checkpoints.jsonl"));
}

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSettings } from "@meterkeep/api/settings";
import { CUSTODIAN_CONFIG, type CustodianConfig } from "@meterkeep/api/supervisor";
import { CliError } from "../error.ts";
import type { Directories } from "./directories.ts";

/** What the owner of the state directory says of the ledger: its pace, its witnesses, and who may approve a loss. */
export const LEDGER_FILE = "ledger.json";

/** Reads {@link LEDGER_FILE} where there is one. @throws {CliError} `option-invalid` */
export function ledgerSettings({ state }: Pick<Directories, "state">): Pick<CustodianConfig, "ledger"> {
  const file = join(state, LEDGER_FILE);
  if (!existsSync(file)) return {};
  try {
    return { ledger: parseSettings(CUSTODIAN_CONFIG.ledger.fields, JSON.parse(readFileSync(file, "utf8"))) };
  } catch (cause) {
    throw new CliError("option-invalid", `${file}: ${(cause as Error).message}`, { cause });
  }
}

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CustodianConfig } from "@meterkeep/api/supervisor";
import { CliError } from "../error.ts";
import type { Directories } from "./directories.ts";

/** Who can open backups: a list of public recovery keys, in the state directory; `meterkeep backup key` writes it. */
export const RECOVERY_FILE = "recovery.json";

/** Reads {@link RECOVERY_FILE} where there is one. @throws {CliError} `option-invalid` */
export function recoverySettings({ state }: Pick<Directories, "state">): Pick<CustodianConfig, "recovery"> {
  const file = join(state, RECOVERY_FILE);
  if (!existsSync(file)) return {};
  try {
    const keys = JSON.parse(readFileSync(file, "utf8")) as unknown;
    if (!Array.isArray(keys)) throw new TypeError("it is no list");
    return { recovery: keys.map((key) => JSON.stringify(key)) };
  } catch (cause) {
    throw new CliError("option-invalid", `${file}: ${(cause as Error).message}`, { cause });
  }
}

import { fileURLToPath, pathToFileURL } from "node:url";

const given = process.env["METERKEEP_SHARED"];
const FOLDER =
  given === undefined
    ? new URL("../../../../../shared/", import.meta.url)
    : pathToFileURL(`${given.replace(/\/$/, "")}/`);

/** Where a folder of recordings or models lies, beside the repository or where METERKEEP_SHARED says; it may be absent. */
export function sharedFolder(name: string): string {
  return fileURLToPath(new URL(`${name}/`, FOLDER));
}

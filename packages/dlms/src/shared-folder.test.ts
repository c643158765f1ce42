import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

// The folder of captures, traces and vectors beside the repository. It is no part of it: tests that read from it are
// skipped, and say so, where it is absent.

const given = process.env["METERKEEP_SHARED"];
const FOLDER =
  given === undefined ? new URL("../../../../shared/", import.meta.url) : pathToFileURL(`${given.replace(/\/$/, "")}/`);

/** The JSON files of one folder, or undefined where it is absent. */
export function sharedFiles(
  folder: string,
): readonly { readonly name: string; readonly read: () => unknown }[] | undefined {
  const path = fileURLToPath(new URL(`${folder}/`, FOLDER));
  if (!existsSync(path)) return undefined;
  return readdirSync(path)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => ({ name, read: () => JSON.parse(readFileSync(`${path}${name}`, "utf8")) as unknown }));
}

/** One JSON file, or undefined where it is absent. */
export function sharedFile(path: string): unknown {
  const [folder, name] = path.split("/") as [string, string];
  return sharedFiles(folder)
    ?.find((file) => file.name === name)
    ?.read();
}

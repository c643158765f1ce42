import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const given = process.env["METERKEEP_SHARED"];
const FOLDER =
  given === undefined
    ? new URL("../../../../../shared/", import.meta.url)
    : pathToFileURL(`${given.replace(/\/$/, "")}/`);

/** Object models of real meters beside the repository; undefined where there are none. They are no part of it. */
export function sharedModels(): readonly { readonly name: string; readonly read: () => unknown }[] | undefined {
  const path = fileURLToPath(new URL("models/", FOLDER));
  if (!existsSync(path)) return undefined;
  return readdirSync(path)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => ({ name, read: () => JSON.parse(readFileSync(`${path}${name}`, "utf8")) as unknown }));
}

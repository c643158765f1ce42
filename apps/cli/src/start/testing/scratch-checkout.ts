import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import type { ScratchEvent } from "./scratch-app.ts";

const CHECKOUT = fileURLToPath(new URL("../../../../../", import.meta.url)).replace(/\/$/, "");
const SCRATCH_APP = fileURLToPath(new URL("scratch-app.ts", import.meta.url));

/** A checkout whose apps are scratch apps, everything else being the real thing. */
export interface ScratchCheckout extends Disposable {
  readonly directory: string;
  readonly state: string;
  /** Replaces one app's main.ts. */
  writeApp(name: string, source: string): void;
  /** What the app noted, by its directory in the state: `custodian`, `head-end`, `town`, … */
  events(directory: string): ScratchEvent[];
}

/** Makes a scratch checkout in the temporary folder; disposing it removes it. */
export function makeScratchCheckout(): ScratchCheckout {
  const directory = mkdtempSync(`${tmpdir()}/mk-`);
  chmodSync(directory, 0o755);
  const writeApp = (name: string, source: string): void => {
    mkdirSync(`${directory}/apps/${name}/src`, { recursive: true });
    writeFileSync(`${directory}/apps/${name}/package.json`, '{"type":"module"}');
    writeFileSync(`${directory}/apps/${name}/src/main.ts`, source);
  };
  for (const name of ["custodian", "server", "depot", "town", "factory"]) {
    writeApp(name, `import { runScratchApp } from "../../scratch-app.ts";\nawait runScratchApp("${name}");\n`);
  }
  copyFileSync(SCRATCH_APP, `${directory}/apps/scratch-app.ts`);
  mkdirSync(`${directory}/apps/cli/src/drill`, { recursive: true });
  writeFileSync(`${directory}/apps/cli/src/drill/main.ts`, 'console.log(JSON.stringify({ scratch: "drill" }));\n');
  symlinkSync(`${CHECKOUT}/packages`, `${directory}/packages`);
  symlinkSync(`${CHECKOUT}/node_modules`, `${directory}/node_modules`);
  symlinkSync(`${CHECKOUT}/package-lock.json`, `${directory}/package-lock.json`);
  writeFileSync(`${directory}/package.json`, '{"type":"module"}');
  mkdirSync(`${directory}/apps/console/dist`, { recursive: true });
  const state = `${directory}/var`;
  return {
    directory,
    state,
    writeApp,
    events: (name) =>
      readFileSync(`${state}/${name}/events.jsonl`, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as ScratchEvent),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";

/** How a page got to where its server looks for it. */
export type PageBuild =
  | { readonly kind: "built" | "up to date" | "copied" }
  | { readonly kind: "missing"; readonly reason: string };

/** Pages that Vite builds: where their sources are, the first folder their own. */
export const BUILT_PAGES = {
  console: ["apps/console", "examples", "packages/api/src", "packages/dlms/src", "package-lock.json"],
  "technicians' page": ["apps/custodian/field", "packages/dlms/src", "package-lock.json"],
} as const;

/** Puts a page into `target`, built with Vite when its sources have changed since. Never throws: the rest works without it. */
export async function buildPage(
  name: keyof typeof BUILT_PAGES,
  checkout: string,
  target: string,
  signal: AbortSignal,
): Promise<PageBuild> {
  const sources = BUILT_PAGES[name];
  mkdirSync(target, { recursive: true });
  const vite = `${checkout}/node_modules/vite/bin/vite.js`;
  const shipped = `${checkout}/${sources[0]}/dist`;
  if (!existsSync(vite)) {
    if (!existsSync(`${shipped}/index.html`)) {
      return {
        kind: "missing",
        reason: `the ${name} is not built and Vite is not installed: run npm ci without --omit=dev`,
      };
    }
    cpSync(shipped, target, { recursive: true });
    return { kind: "copied" };
  }
  const stamp = fingerprint(checkout, sources);
  const stampFile = `${target}.stamp`;
  if (existsSync(`${target}/index.html`) && readOrNothing(stampFile) === stamp) return { kind: "up to date" };
  const draft = `${target}.new`;
  const output = await runVite(vite, `${checkout}/${sources[0]}`, draft, signal);
  if (output !== undefined) return { kind: "missing", reason: `the ${name} could not be built: ${output}` };
  // Into the same directory: the server's permission is for this one, by its name.
  for (const name of readdirSync(target)) rmSync(`${target}/${name}`, { recursive: true, force: true });
  for (const name of readdirSync(draft)) renameSync(`${draft}/${name}`, `${target}/${name}`);
  rmSync(draft, { recursive: true, force: true });
  writeFileSync(stampFile, stamp);
  return { kind: "built" };
}

/** @returns what Vite said when it failed */
function runVite(vite: string, folder: string, draft: string, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      [vite, "build", "--configLoader", "native", "--logLevel", "error", "--outDir", draft, "--emptyOutDir"],
      { cwd: folder, stdio: ["ignore", "pipe", "pipe"], detached: true, signal },
    );
    let output = "";
    const take = (text: string): void => {
      output = `${output}${text}`.slice(-2_000);
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    child.once("error", (error) => resolve(error.message));
    child.once("close", (status) => resolve(status === 0 ? undefined : output.trim() || `status ${status}`));
  });
}

/** Changes whenever a source file is added, removed, or written to. */
function fingerprint(checkout: string, sources: readonly string[]): string {
  const hash = createHash("sha256");
  for (const source of sources) {
    for (const file of filesBelow(`${checkout}/${source}`)) {
      const { mtimeMs, size } = statSync(file);
      hash.update(`${file} ${mtimeMs} ${size}\n`);
    }
  }
  return hash.digest("hex");
}

function filesBelow(path: string): string[] {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .filter((file) => !/\/(node_modules|dist)\//.test(file))
    .sort();
}

function readOrNothing(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

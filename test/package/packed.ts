import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPackages } from "../../tools/package.ts";

/** What npm says of a tarball. */
export interface Tarball {
  readonly name: string;
  readonly file: string;
  readonly paths: readonly string[];
  readonly bytes: number;
}

/** A directory with nothing in it but the published packages, as npm installs them. */
export interface Consumer extends Disposable {
  readonly directory: string;
  readonly tarballs: readonly Tarball[];
}

/** Builds and packs the published packages, and installs them in a directory far from the repository, without network. */
export async function installPacked(): Promise<Consumer> {
  const root = mkdtempSync(join(tmpdir(), "meterkeep-packed-"));
  const remove = (): void => rmSync(root, { recursive: true, force: true });
  try {
    const built = await buildPackages((room) => join(root, "built", room));
    const tarballs = built.map(({ directory }) => pack(directory, root));
    const directory = join(root, "consumer");
    mkdirSync(directory);
    writeFileSync(join(directory, "package.json"), '{ "name": "consumer", "private": true, "type": "module" }\n');
    npm(directory, ["install", "--offline", "--no-audit", ...tarballs.map(({ file }) => file)]);
    return { directory, tarballs, [Symbol.dispose]: remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function pack(directory: string, destination: string): Tarball {
  const [packed] = JSON.parse(npm(destination, ["pack", "--json", directory])) as [
    { readonly name: string; readonly filename: string; readonly size: number; readonly files: { path: string }[] },
  ];
  return {
    name: packed.name,
    file: join(destination, packed.filename),
    paths: packed.files.map(({ path }) => path),
    bytes: packed.size,
  };
}

/** npm without the settings of whoever runs the tests, and with a cache of its own, so that nothing is found by chance. */
function npm(directory: string, args: readonly string[]): string {
  const { PATH, HOME } = process.env;
  return execFileSync("npm", [...args, "--cache", join(directory, ".npm-cache")], {
    cwd: directory,
    encoding: "utf8",
    env: { PATH, HOME, npm_config_offline: "true", npm_config_loglevel: "error" },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

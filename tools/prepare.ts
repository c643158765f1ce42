import { existsSync } from "node:fs";
import { run } from "./run.ts";

/** A Debian package that some tests need, and the file that shows that it is there. */
const NEEDS = [{ group: "test/browser", file: "/usr/bin/chromium", debianPackage: "chromium" }] as const;

/** Installs what the given test groups need, where it can; gives a sentence for each thing that somebody must install. */
export async function prepare(groups: readonly string[]): Promise<string[]> {
  const missing = NEEDS.filter(({ group, file }) => groups.some((name) => name.startsWith(group)) && !existsSync(file));
  if (missing.length === 0) return [];
  const packages = missing.map(({ debianPackage }) => debianPackage);
  const isRoot = process.getuid?.() === 0;
  if (isRoot && existsSync("/usr/bin/apt-get")) {
    console.log(`installing ${packages.join(" ")} for the tests`);
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    await run("apt-get", ["update", "-qq"], { env });
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], { env });
  }
  return missing
    .filter(({ file }) => !existsSync(file))
    .map(({ group, file, debianPackage }) => `${group} needs ${file}: sudo apt-get install ${debianPackage}`);
}

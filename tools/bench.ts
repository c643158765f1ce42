/**
 * `npm run bench -- NAME`: runs the bench of that name and prints its figures. A bench is a file `NAME.bench.ts` in a folder
 * `bench` of a workspace; what it prints is its result. Without a name, lists them.
 */
import { globSync } from "node:fs";
import { basename } from "node:path";
import { ROOT, run } from "./run.ts";

const [name, ...options] = process.argv.slice(2);
const benches = new Map(
  globSync(["packages/*/bench/*.bench.ts", "apps/*/bench/*.bench.ts", "test/bench/*.bench.ts"], { cwd: ROOT }).map(
    (file) => [basename(file, ".bench.ts"), file],
  ),
);
const file = benches.get(name ?? "");
if (file === undefined) {
  if (name !== undefined) console.error(`there is no bench "${name}"`);
  console.log([...benches].map(([bench, path]) => `${bench.padEnd(12)} ${path}`).join("\n"));
  process.exitCode = name === undefined ? 0 : 2;
} else process.exitCode = await run(process.execPath, ["--expose-gc", file, ...options]);

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { freePort } from "@meterkeep/postgres/testing";
import { ROOT } from "../../tools/run.ts";
import { type Consumer, installPacked } from "./packed.ts";
import { exampleUnder, headings } from "./readme.ts";

// The library as others get it: packed, installed somewhere else without network, and used as its README says.

const run = promisify(execFile);
const MANY_KILOBYTES = 600;
let consumer: Consumer;
let port: number;

before(async () => {
  consumer = await installPacked();
  port = await freePort();
});
after(() => consumer[Symbol.dispose]());

test("the tarballs hold built code, types, README and licence, and no source or test", () => {
  for (const { name, paths, bytes } of consumer.tarballs) {
    for (const path of ["index.js", "index.d.ts", "package.json", "README.md", "LICENSE"])
      assert.ok(paths.includes(path), `${name} lacks ${path}`);
    assert.deepEqual(
      paths.filter((path) => /\.test\.|\.tsx?$|\.json$/.test(path) && !/\.d\.ts$|^package\.json$/.test(path)),
      [],
    );
    assert.ok(bytes < MANY_KILOBYTES * 1024, `${name} packs to ${bytes} octets`);
  }
});

test("the library depends on nothing, installs nothing else and names no module of a platform", () => {
  const directory = join(consumer.directory, "node_modules", "@meterkeep", "dlms");
  const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Record<string, unknown>;
  for (const field of ["dependencies", "peerDependencies", "optionalDependencies", "scripts", "private"])
    assert.equal(manifest[field], undefined, field);
  assert.equal(manifest["license"], "Apache-2.0");
  const code = readFileSync(join(directory, "index.js"), "utf8");
  // The compiler sees to the rest: the sources know no platform's types.
  assert.deepEqual(
    code.split("\n").filter((line) => /^\s*(import|export)\b.*\bfrom\b|(^|[^.\w])(import|require)\("/.test(line)),
    [],
  );
});

test("the README's meter is read by the README's clients, each in the packed packages and plain Node", async () => {
  write("A meter with keys", "meter.ts");
  write("Read a meter", "read.ts");
  write("With keys", "keys.ts");
  writeFileSync(
    join(consumer.directory, "both.mjs"),
    [
      'import { listener } from "./meter.ts";',
      'await import("./read.ts");',
      'await import("./keys.ts");',
      "await listener[Symbol.asyncDispose]();",
    ].join("\n"),
  );
  assert.equal(await node("both.mjs"), "1234 x 10 ^ 0 of unit 30\n2026\n");
});

test("the README's push opens", async () => {
  write("Decrypt a push", "push.ts");
  assert.match(await node("push.ts"), /^true 7 \{\s*type: 'structure'/);
});

test("every example of the README passes the strictest compiler with the packed types, those included", async () => {
  const files = headings().map((heading, index) => {
    const file = `example${index}.ts`;
    writeFileSync(join(consumer.directory, file), exampleUnder(heading));
    return file;
  });
  assert.ok(files.length >= 5);
  const compilerOptions = {
    ...{ target: "es2024", lib: ["es2024", "esnext.disposable"], module: "nodenext", types: ["node"] },
    ...{ typeRoots: [join(ROOT, "node_modules", "@types")] },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true },
  };
  writeFileSync(join(consumer.directory, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const { stdout } = await run(join(ROOT, "node_modules", ".bin", "tsc"), ["-p", "."], {
    cwd: consumer.directory,
  }).catch((error: { stdout: string }) => error);
  assert.equal(stdout, "");
});

function write(heading: string, file: string): void {
  writeFileSync(join(consumer.directory, file), exampleUnder(heading).replaceAll("4059", String(port)));
}

/** Plain Node: no flag, no loader, nothing of the repository. */
async function node(file: string): Promise<string> {
  const { PATH } = process.env;
  const { stdout } = await run(process.execPath, [file], { cwd: consumer.directory, env: { PATH }, timeout: 60_000 });
  return stdout;
}

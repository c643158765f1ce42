import assert from "node:assert/strict";
import type { KeyObject } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { CosemServer } from "@meterkeep/dlms";
import { listenHdlc } from "./hdlc-server.ts";

// The examples of the library's README are run as they stand there, but for the port.

const README = new URL("../../dlms/README.md", import.meta.url);
const text = readFileSync(README, "utf8");
const directory = mkdtempSync(join(tmpdir(), "mk-readme-"));
after(() => rmSync(directory, { recursive: true }));

/** The first TypeScript example under a heading. */
function exampleUnder(heading: string): string {
  const section = text.split(`\n## ${heading}\n`)[1] ?? "";
  const code = /```ts\n([\s\S]*?)```/.exec(section)?.[1];
  assert.ok(code !== undefined, `no example under "${heading}"`);
  return code;
}

/** Runs an example and gives what it logged and exported. */
async function run(heading: string, port: number): Promise<{ logged: unknown[][]; exports: Record<string, unknown> }> {
  const logged: unknown[][] = [];
  const name = `readmeLog${Math.abs(port)}`;
  const code = exampleUnder(heading)
    .replaceAll("4059", String(port))
    .replaceAll("console.log", `globalThis.${name}`)
    .replaceAll(
      /from "(@meterkeep\/[a-z-]+)"/g,
      (_, packageName: string) => `from "${import.meta.resolve(packageName)}"`,
    );
  Object.assign(globalThis, { [name]: (...values: unknown[]) => logged.push(values) });
  try {
    // A file of its own each time: the same one twice would be one module.
    const file = join(mkdtempSync(join(directory, "example-")), "example.ts");
    writeFileSync(file, code);
    const exports = await import(pathToFileURL(file).href);
    return { logged, exports };
  } finally {
    Reflect.deleteProperty(globalThis, name);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

test("the README's small meter is read, with whatever it counts by then", async () => {
  const port = await freePort();
  const { exports } = await run("Be a meter", port);
  await using _listener = exports["listener"] as AsyncDisposable;
  assert.deepEqual((await run("Read a meter", port)).logged, [[1234, "x 10 ^", 0, "of unit", 30]]);
  Object.assign(exports["meter"] as object, { wattHours: 1235 });
  assert.deepEqual((await run("Read a meter", port)).logged, [[1235, "x 10 ^", 0, "of unit", 30]]);
});

test("the README's meter with keys is read by the README's clients", async () => {
  const port = await freePort();
  const { exports } = await run("A meter with keys", port);
  await using _listener = exports["listener"] as AsyncDisposable;
  assert.deepEqual((await run("Read a meter", port)).logged, [[1234, "x 10 ^", 0, "of unit", 30]]);
  assert.deepEqual((await run("With keys", port)).logged, [[2026]]);
  assert.deepEqual((await run("Any service, any size", port)).logged, [[["success", "read-write-denied"]]]);
});

test("the README's meter is read over HDLC as well", async () => {
  const { exports } = await run("A meter with keys", await freePort());
  await using _listener = exports["listener"] as AsyncDisposable;
  const server = exports["server"] as CosemServer<KeyObject, { wattHours: number }>;
  await using hdlc = await listenHdlc({ server, logicalDevices: [1], physicalDevice: 17 });
  assert.deepEqual((await run("Other lines", hdlc.port)).logged, [[1234]]);
});

test("the README's request is signed, ciphered with an agreed key, opened and verified", async () => {
  const { logged } = await run("Signatures and agreed keys", -1);
  assert.deepEqual(logged, [["c001c1000100002a0000ff0200", true, "one-pass"]]);
});

test("the README's push opens", async () => {
  const { logged } = await run("Decrypt a push", 0);
  assert.deepEqual(logged, [[true, 7, { type: "structure", value: [{ type: "double-long-unsigned", value: 1234 }] }]]);
});

test("the README's class and ports are what the library exports", async () => {
  const { exports } = await run("How it is laid out", 0);
  assert.equal((exports["DisconnectControl"] as { id: number }).id, 70);
  await run("Keys in another process", 0);
});

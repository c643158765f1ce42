/// <reference lib="dom" />
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type * as dlms from "@meterkeep/dlms";
import { decodeTelegrams, fromHex, keysForAll } from "@meterkeep/dlms";
import { rolldown } from "rolldown";
import type { readDoor } from "../../examples/dlms/in-memory.ts";
import { buildPackage } from "../../tools/package.ts";
import { openBrowser, type TestBrowser, type WatchedPage } from "./chromium.ts";

// The library as it is published, in a browser: served as it was built, by a page whose policy allows no code but files of
// its own origin, and with WebCrypto out of reach, so that nothing but what is handed in can be used.

const EXAMPLES = new URL("../../examples/", import.meta.url);
const KEYS = JSON.parse(readFileSync(new URL("keys.json", EXAMPLES), "utf8")).meters["4D4B5000000007E9"] as {
  readonly key: string;
  readonly authKey: string;
};
const TELEGRAM = readFileSync(new URL("authenticated.hex", EXAMPLES), "utf8").replaceAll(/\s/g, "");

let directory: string;
let server: Server;
let browser: TestBrowser;
let watched: WatchedPage;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "meterkeep-library-"));
  const built = await buildPackage("dlms", directory);
  const inMemory = await asScript(fileURLToPath(new URL("dlms/in-memory.ts", EXAMPLES)));
  const files = new Map([
    ["/", { type: "text/html", text: "<!doctype html><title>The library</title>" }],
    ["/dlms.js", { type: "text/javascript", text: readFileSync(join(built.directory, "index.js"), "utf8") }],
    ["/in-memory.js", { type: "text/javascript", text: inMemory.replace('"@meterkeep/dlms"', '"/dlms.js"') }],
  ]);
  server = createServer(({ url = "" }, response) => {
    const file = files.get(url);
    if (file === undefined) return void response.writeHead(url === "/favicon.ico" ? 204 : 404).end();
    const policy = "default-src 'none'; script-src 'self'";
    response.writeHead(200, { "content-type": file.type, "content-security-policy": policy }).end(file.text);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  browser = await openBrowser();
  await browser.context.addInitScript(() => {
    Object.defineProperty(Crypto.prototype, "subtle", {
      get: () => {
        throw new Error("WebCrypto was used");
      },
    });
  });
  watched = await browser.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
after(async () => {
  await browser?.[Symbol.asyncDispose]();
  server?.close();
  rmSync(directory, { recursive: true, force: true });
});

test("a telegram is decoded in the browser, and reads as it does in Node", async () => {
  const decodeIn = ({ decodeTelegrams, fromHex, keysForAll }: typeof dlms, hex: string, key: string, auth: string) => {
    const keys = keysForAll({ encryptionKey: fromHex(key), authenticationKey: fromHex(auth) });
    return JSON.stringify(decodeTelegrams(fromHex(hex), { keys }), (_, value) =>
      typeof value === "bigint" ? String(value) : value,
    );
  };
  const inBrowser = await watched.page.evaluate(
    `import("/dlms.js").then((library) => (${decodeIn.toString()})(library, "${TELEGRAM}", "${KEYS.key}", "${KEYS.authKey}"))`,
  );
  const library = { decodeTelegrams, fromHex, keysForAll } as typeof dlms;
  assert.equal(inBrowser, decodeIn(library, TELEGRAM, KEYS.key, KEYS.authKey));
  const { telegrams, refusals } = JSON.parse(String(inBrowser)) as dlms.DecodedTelegrams;
  assert.deepEqual(refusals, []);
  assert.ok((telegrams[0]?.readings.length ?? 0) > 2);
});

test("client and meter speak to each other in the browser, ciphered by software and with the page's own randomness", async () => {
  const read = await watched.page.evaluate(async () => {
    const module = (await import("/in-memory.js" as string)) as { readonly readDoor: typeof readDoor };
    return module.readDoor((count) => crypto.getRandomValues(new Uint8Array(count)));
  });
  assert.deepEqual(read, ["open", 2, 0]);
});

test("the page had nothing to complain of, and asked for nothing but the library", () => {
  assert.deepEqual(watched.complaints, []);
  assert.deepEqual(
    watched.requests.map(({ url }) => new URL(url).pathname).filter((path) => path !== "/favicon.ico"),
    ["/", "/dlms.js", "/in-memory.js"],
  );
});

/** A program without its types, the library left where it is. */
async function asScript(file: string): Promise<string> {
  await using bundler = await rolldown({ input: file, external: ["@meterkeep/dlms"] });
  const { output } = await bundler.generate({ format: "esm" });
  return output[0].code;
}

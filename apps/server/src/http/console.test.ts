import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { brotliCompressSync, brotliDecompressSync, gzipSync } from "node:zlib";
import fastify from "fastify";
import { serveConsole } from "./console.ts";

const SCRIPT = "console.log(1);\n".repeat(200);
const PAGE = "<!doctype html><title>Meterkeep</title>";

test("the console goes out compressed as it was built, hashed files for good, and is not sent twice", async () => {
  const directory = mkdtempSync(join(tmpdir(), "meterkeep-console-"));
  const app = fastify();
  try {
    mkdirSync(join(directory, "assets"));
    writeFileSync(join(directory, "index.html"), PAGE);
    writeFileSync(join(directory, "assets/index-1.js"), SCRIPT);
    writeFileSync(join(directory, "assets/index-1.js.br"), brotliCompressSync(SCRIPT));
    writeFileSync(join(directory, "assets/index-1.js.gz"), gzipSync(SCRIPT));
    await serveConsole(app, directory);
    const get = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers });

    const brotli = await get("/assets/index-1.js", { "accept-encoding": "gzip, deflate, br" });
    assert.equal(brotli.headers["content-encoding"], "br");
    assert.equal(brotli.headers["cache-control"], "public, max-age=31536000, immutable");
    assert.match(String(brotli.headers["content-type"]), /javascript/);
    assert.match(String(brotli.headers.vary), /accept-encoding/i);
    assert.equal(brotliDecompressSync(brotli.rawPayload).toString(), SCRIPT);
    const gzip = await get("/assets/index-1.js", { "accept-encoding": "gzip" });
    assert.equal(gzip.headers["content-encoding"], "gzip");
    const plain = await get("/assets/index-1.js");
    assert.equal(plain.headers["content-encoding"], undefined);
    assert.equal(plain.body, SCRIPT);
    const tags = [brotli, gzip, plain].map(({ headers }) => headers.etag);
    assert.equal(new Set(tags).size, 3);
    assert.ok(tags.every((tag) => tag !== undefined));

    const page = await get("/meters/4D4B560000000001", { "accept-encoding": "br" });
    assert.deepEqual([page.body, page.headers["cache-control"]], [PAGE, "no-cache"]);
    const again = await get("/", { "if-none-match": String(page.headers.etag) });
    assert.deepEqual([again.statusCode, again.body], [304, ""]);
    writeFileSync(join(directory, "mark.svg"), "<svg/>");
    const icon = await get("/favicon.ico");
    assert.deepEqual([icon.statusCode, icon.body, icon.headers["content-type"]], [200, "<svg/>", "image/svg+xml"]);
  } finally {
    await app.close();
    rmSync(directory, { recursive: true });
  }
});

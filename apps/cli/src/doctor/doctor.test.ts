import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { resolveOptions } from "../start/start-config.ts";
import { checkClock } from "./clock.ts";
import { checkBinding, checkTools } from "./parts.ts";
import { checkPlatform, type Platform } from "./platform.ts";
import { checkPort, describePortProblem } from "./ports.ts";
import { checkState } from "./state.ts";

const good: Platform = {
  system: "linux",
  architecture: "x64",
  glibc: "2.36",
  node: "v26.10.0",
  memoryBytes: 8e9,
  openFiles: 20_000,
};

function failing(platform: Partial<Platform>): string[] {
  return checkPlatform({ ...good, ...platform })
    .filter(({ status }) => status !== "ok")
    .map(({ id, status, fix }) => {
      assert.ok(fix !== undefined && fix.length > 10, "every problem has a fix");
      return `${id} ${status}`;
    });
}

test("a platform is judged by what the packaged programs need", () => {
  assert.deepEqual(failing({}), []);
  assert.deepEqual(failing({ architecture: "arm64" }), ["platform warning"]);
  assert.deepEqual(failing({ glibc: undefined }), ["platform warning"]);
  assert.deepEqual(failing({ glibc: "2.27" }), ["platform failed"]);
  assert.deepEqual(failing({ node: "v20.20.2" }), ["node failed"]);
  assert.deepEqual(failing({ node: "v24.8.0", memoryBytes: 1e9, openFiles: 1024 }), [
    "memory warning",
    "open-files warning",
  ]);
  assert.deepEqual(failing({ openFiles: "unlimited" }), []);
});

test("a clock before the program's own files cannot be right", () => {
  const released = Date.parse("2026-11-21T00:00:00Z");
  assert.equal(checkClock(released + 1, released, "UTC").status, "ok");
  const wrong = checkClock(Date.parse("1970-01-02T00:00:00Z"), released, "UTC");
  assert.equal(wrong.status, "failed");
  assert.match(wrong.text, /days before the newest file/);
});

test("a taken port names its holder and the option that chooses another", async () => {
  const tcp = createServer().listen(0, "127.0.0.1");
  const udp = createSocket("udp4").bind(0, "127.0.0.1");
  await Promise.all([once(tcp, "listening"), once(udp, "listening")]);
  try {
    for (const [transport, port] of [
      ["tcp", (tcp.address() as { port: number }).port],
      ["udp", udp.address().port],
    ] as const) {
      const problem = await checkPort({ transport, host: "127.0.0.1", port, use: "test" });
      assert.equal(problem?.holder?.pid, process.pid);
      assert.match(describePortProblem(problem!, "--port"), new RegExp(`process ${process.pid}\\): stop it.*--port`));
    }
  } finally {
    tcp.close();
    udp.close();
  }
});

test("a free port is no problem, an address that is not here is named", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  assert.equal(await checkPort({ transport: "tcp", host: "127.0.0.1", port, use: "test" }), undefined);
  const away = await checkPort({ transport: "tcp", host: "192.0.2.1", port, use: "test" });
  assert.equal(away?.code, "EADDRNOTAVAIL");
  assert.match(describePortProblem(away!, "--port"), /does not have the address 192\.0\.2\.1/);
});

test("missing tools of the tests are optional and come with their package", () => {
  const missing = checkTools("/nonexistent").find(({ id }) => id === "chromium");
  assert.deepEqual([missing?.status, missing?.fix], ["optional", "sudo apt-get install chromium"]);
});

test("looking at a state directory that is not there leaves none behind, and one that is not ours is named", () => {
  const base = mkdtempSync(`${tmpdir()}/mk-`);
  chmodSync(base, 0o755);
  try {
    const look = (state: string) => checkState(base, resolveOptions({ state }, {}), false);
    assert.equal(look(`${base}/new`).findings[0]!.status, "ok");
    assert.equal(existsSync(`${base}/new`), false);
    mkdirSync(`${base}/photos/2026`, { recursive: true });
    const [foreign] = look(`${base}/photos`).findings;
    assert.deepEqual([foreign!.status, existsSync(`${base}/photos/2026`)], ["failed", true]);
    assert.match(foreign!.text, /holds files that are not Meterkeep's \(2026\)/);
    mkdirSync(`${base}/lost`);
    const installation = { version: "1", meters: 3, seed: "s", utility: "u", island: "i", databases: "made" };
    writeFileSync(`${base}/lost/installation.json`, JSON.stringify(installation));
    assert.match(look(`${base}/lost`).findings[0]!.text, /postgres\/data is gone/);
  } finally {
    rmSync(base, { recursive: true });
  }
});

test("whether tokens can be spoken with is said, with the command that builds the binding", () => {
  const { status, text, fix } = checkBinding("/nonexistent");
  assert.deepEqual([status, /npm rebuild pkcs11js/.test(fix ?? "")], ["optional", true], text);
});

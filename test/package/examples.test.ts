import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Consumer, installPacked } from "./packed.ts";

// The examples of the library, run as anybody would who has installed it: copied out of the repository, plain Node.

const run = promisify(execFile);
let consumer: Consumer;
let meter: ChildProcess;
let port: string;

before(async () => {
  consumer = await installPacked();
  cpSync(fileURLToPath(new URL("../../examples/dlms", import.meta.url)), join(consumer.directory, "examples"), {
    recursive: true,
  });
  meter = spawn(process.execPath, [pathOf("be-a-meter"), "0"], { stdio: ["ignore", "pipe", "inherit"] });
  assert.ok(meter.stdout !== null);
  const [line] = (await once(createInterface(meter.stdout), "line")) as [string];
  port = /^a meter listens on 127\.0\.0\.1:(\d+)$/.exec(line)?.[1] ?? assert.fail(line);
});
after(() => {
  meter?.kill();
  consumer?.[Symbol.dispose]();
});

test("read-a-meter says what the meter shows to everybody, and its energy", async () => {
  assert.deepEqual(await linesOf("read-a-meter", port), [
    "class 15 version 1 at 0.0.40.0.0.255",
    "class 3 version 0 at 1.0.1.8.0.255",
    "class 1 version 0 at 0.0.43.1.0.255",
    "1234567 of unit 30",
  ]);
});

test("stream-a-profile reads ten days with keys, and again with counters that the meter has not seen", async () => {
  const expected = ["961 rows by range: 54720 Wh from 10 to 20 October"];
  assert.deepEqual(await linesOf("stream-a-profile", port), expected);
  assert.deepEqual(await linesOf("stream-a-profile", port), expected);
});

test("receive-pushes takes the new ones and refuses the copy and the forgery", async () => {
  const body = (wattHours: number) =>
    `{"type":"structure","value":[{"type":"double-long-unsigned","value":${wattHours}}]}`;
  assert.deepEqual(await linesOf("receive-pushes"), [
    `counter 7: ${body(1234567)}`,
    `counter 8: ${body(1234890)}`,
    "refused: counter 7 was used before",
    "refused: authentication-failed",
  ]);
});

test("sell-energy takes a token, counts it down and cuts the supply off", async () => {
  assert.deepEqual(await linesOf("sell-energy"), [
    "activated: 0 cents, disconnected",
    "a token of 5 EUR: 500 cents, connected",
    "after 10 kWh: 200 cents, connected",
    "after 10 kWh more: -100 cents, disconnected",
  ]);
});

test("in-memory needs neither socket nor platform", async () => {
  assert.deepEqual(await linesOf("in-memory"), ["open, 2, 0"]);
});

const pathOf = (name: string): string => join(consumer.directory, "examples", `${name}.ts`);

async function linesOf(name: string, ...args: readonly string[]): Promise<string[]> {
  const { stdout } = await run(process.execPath, [pathOf(name), ...args], { timeout: 60_000 });
  return stdout.trimEnd().split("\n");
}

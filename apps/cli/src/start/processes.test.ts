import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { makeDirectories } from "./directories.ts";
import { type AppName, describeApp } from "./processes.ts";
import { makeScratchCheckout } from "./testing/scratch-checkout.ts";
import { chooseUsers } from "./users.ts";

const APPS: readonly AppName[] = ["custodian", "server", "depot", "town", "factory", "drill"];
const LISTEN = 'process.stdout.write("up"); setTimeout(() => process.exit(7), 300);';

test("no process of ours opens a debugger to who runs as the same user and sends it SIGUSR1", async () => {
  using checkout = makeScratchCheckout();
  const users = chooseUsers(60_900, false, []);
  const directories = makeDirectories(checkout.state, users);
  const program = { node: process.execPath, directory: checkout.directory, readable: [] };
  for (const name of APPS) {
    const { nodeOptions } = describeApp(name, { program, directories, users, homes: 1 });
    assert.ok(nodeOptions.includes("--disable-sigusr1"), name);
  }
  const { nodeOptions } = describeApp("custodian", { program, directories, users, homes: 1 });
  const child = spawn(process.execPath, [...nodeOptions, "-e", LISTEN], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  await once(child.stdout, "data");
  child.kill("SIGUSR1");
  await Promise.race([once(child, "close"), sleep(20_000, undefined, { ref: false })]);
  assert.ok(!said.includes("Debugger listening"), said);
});

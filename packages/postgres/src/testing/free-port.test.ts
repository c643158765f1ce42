import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const CHOSEN = 60;
const SCRIPT = `
  import { freePort } from ${JSON.stringify(fileURLToPath(new URL("./free-port.ts", import.meta.url)))};
  // One of a hundred: who chooses without asking the others chooses what they have.
  let n = 0;
  Math.random = () => (n++ % 100) / 12_000;
  const ports = [];
  while (ports.length < ${CHOSEN / 3}) ports.push(await freePort());
  process.stdout.write(ports.join());
  process.stdin.resume();`;

test("a port that one process has chosen, no other chooses before it has ended, though nobody listens there yet", async () => {
  const choosing = Array.from({ length: 3 }, () =>
    spawn(process.execPath, ["--input-type=module-typescript", "-e", SCRIPT], { stdio: ["pipe", "pipe", "inherit"] }),
  );
  const outputs = choosing.map(({ stdout }) => text(stdout));
  // Each is there until all have chosen.
  await Promise.all(choosing.map(({ stdout }) => new Promise((resolve) => stdout.once("data", resolve))));
  for (const { stdin } of choosing) stdin.end();
  const ports = (await Promise.all(outputs)).flatMap((output) => output.split(","));
  assert.equal(ports.length, CHOSEN);
  assert.equal(new Set(ports).size, CHOSEN);
});

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

test("the server for tests is gone, directory and all, even when the test process was killed", async () => {
  const script = `
    import { testServerUrl } from ${JSON.stringify(fileURLToPath(new URL("./test-server.ts", import.meta.url)))};
    console.log(new URL(await testServerUrl()).searchParams.get("host"));
    setInterval(() => undefined, 1000);`;
  const { METERKEEP_TEST_DATABASE_URL: _, ...env } = process.env;
  const tests = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output] = (await once(tests.stdout, "data")) as [Buffer];
  const directory = dirname(output.toString().trim());
  assert.ok(existsSync(`${directory}/postgres`));
  tests.kill("SIGKILL");
  while (existsSync(directory)) await sleep(20);
});

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { freePort } from "@meterkeep/postgres/testing";
import { ownerClient } from "../src/api-client.ts";
import { CHECKOUT, type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

// What the guide for integrators says, as a newcomer would copy it, against a meter of the town.

const run = promisify(execFile);
const GUIDE = readFileSync(`${CHECKOUT}/docs/guides/integrator.md`, "utf8");

let meterkeep: Meterkeep;
let folder: string;
let address: string;
let meter: { readonly systemTitle: string; readonly logicalDeviceName: string; readonly port: string };

before(async () => {
  const port = await freePort();
  address = `https://127.0.0.1:${port}`;
  folder = mkdtempSync(join(tmpdir(), "mk-integrator-"));
  meterkeep = await startMeterkeep({ meters: 4, options: ["--key-service", `127.0.0.1:${port}`] });
  const api = await ownerClient(meterkeep);
  const { systemTitle } = await until(
    "a meter is taken over",
    async () => (await api.meters()).find(({ takeover }) => takeover === "proven"),
    { everyMs: 500 },
  );
  const { logicalDeviceName } = (await api.call("meter", { params: { systemTitle } })).identity;
  const ofMeter = await until("it is at its home", async () =>
    (await townControl(meterkeep.stateDirectory).truth()).find((one) => one.systemTitle === systemTitle && one.inField),
  );
  meter = { systemTitle, logicalDeviceName: String(logicalDeviceName), port: String(ofMeter.port) };
  await run(
    "openssl",
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 398 -subj /CN=hes-1 -keyout hes-1.key -out hes-1.crt".split(
      " ",
    ),
    { cwd: folder },
  );
  copyFileSync(`${meterkeep.stateDirectory}/exchange/key-service.crt`, join(folder, "key-service.crt"));
});
after(async () => {
  await meterkeep?.stop();
  rmSync(folder, { recursive: true });
});

/** The first example of the guide in that language. */
function example(language: string, heading: string): string {
  const from = GUIDE.indexOf(`\n### ${heading}\n`);
  const [, text] = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(GUIDE.slice(from)) ?? [];
  assert.ok(from > 0 && text !== undefined, heading);
  return text;
}

/**
 * Why a tool cannot be tried here, or nothing. For the JDK alone, which is larger than all else that the tests want together:
 * nobody installs it for one of them.
 */
async function missing(...command: readonly [string, ...string[]]): Promise<string | undefined> {
  const [tool, ...args] = command;
  return run(tool, args).then(
    () => undefined,
    () => `${tool} is not here`,
  );
}

/** A meter has one connection, and our own head-end may have it for the moment: who called in vain calls again. Who gets the line has it alone. */
function onceItsLineIsFree(command: string, args: readonly string[]): Promise<string> {
  return until(`${command} finds the meter's line free`, async () => {
    try {
      return (await run(command, args, { cwd: folder })).stdout;
    } catch (error) {
      if (/connection ?reset|broken ?pipe|hung up|meter-busy/i.test(String((error as { stderr?: string }).stderr)))
        return;
      throw error;
    }
  });
}

test("a head-end is enrolled by one command, and its first question is answered to curl", async () => {
  const added = await meterkeep.command([
    "head-ends",
    "add",
    "hes-1",
    "--certificate",
    join(folder, "hes-1.crt"),
    "--purposes",
    "read,verify",
  ]);
  assert.equal(added.status, 0, added.stderr);
  assert.match((await meterkeep.command(["head-ends", "list"])).stdout, /^hes-1 .*read, verify in demo, all meters/);
  const script = example("sh", "curl")
    .replaceAll("https://127.0.0.1:8423", address)
    .replace(/^TITLE=.*$/m, `TITLE=${meter.systemTitle}`);
  const { stdout } = await run("/bin/sh", ["-ec", script], { cwd: folder });
  assert.match(stdout, /"principal":"head-end:hes-1"/);
  assert.match(stdout, /"kind":"opened","session":"[0-9a-f]{24}".*"apdu":"60/);
});

test("the Python of the guide reads a meter without a key", async () => {
  writeFileSync(join(folder, "read_meter.py"), example("python", "Python"));
  const args = ["read_meter.py", address, meter.systemTitle, "127.0.0.1", meter.port];
  assert.equal((await onceItsLineIsFree("python3", args)).trim(), meter.logicalDeviceName);
});

test("another head-end that speaks with the meter first costs the Python of the guide no more than a session", async () => {
  const script = example("python", "Python");
  const opening = '        session = opened["session"]\n';
  const step = /^ {4}step = ask\("associate".*\n/m;
  assert.ok(script.includes(opening) && step.test(script));
  // Between the example's first opening and its AARQ the meter hears an AARQ of a session that was opened later.
  const between = `${opening}        if not others:
            others.append(ask("sessions", meter=meter, purpose="read"))
            exchange(others[0]["apdu"])
`;
  const overtaken = script
    .replace(opening, between)
    .replace(step, (line) => `${line}    print(step.get("code", step["kind"]))\n`);
  writeFileSync(join(folder, "overtaken.py"), `others = []\n${overtaken}`);
  const args = ["overtaken.py", address, meter.systemTitle, "127.0.0.1", meter.port];
  assert.deepEqual((await onceItsLineIsFree("python3", args)).trim().split("\n"), [
    "session-overtaken",
    "send",
    "established",
    meter.logicalDeviceName,
  ]);
});

test("the Java of the guide reads a meter without a key", async (context) => {
  const skip = await missing("javac", "-version");
  if (skip !== undefined) return context.skip(skip);
  writeFileSync(join(folder, "ReadMeter.java"), example("java", "Java"));
  const pkcs12 = "pkcs12 -export -in hes-1.crt -inkey hes-1.key -passout pass:changeit -out hes-1.p12";
  await run("openssl", pkcs12.split(" "), { cwd: folder });
  const args = ["ReadMeter.java", address, meter.systemTitle, "127.0.0.1", meter.port];
  assert.equal((await onceItsLineIsFree("java", args)).trim(), meter.logicalDeviceName);
});

test("a head-end that is removed is asked for nothing any more", async () => {
  const removed = await meterkeep.command(["head-ends", "remove", "hes-1"]);
  assert.equal(removed.status, 0, removed.stderr);
  const files = ["--cacert", "key-service.crt", "--cert", "hes-1.crt", "--key", "hes-1.key"];
  await assert.rejects(run("curl", ["-sS", ...files, `${address}/v1/self`], { cwd: folder }));
});

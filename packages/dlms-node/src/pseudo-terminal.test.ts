import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { type TestContext, test } from "node:test";
import { fromHex, toHex } from "@meterkeep/dlms";
import { echoServer } from "./hdlc.test.ts";
import { connectHdlcSerial } from "./hdlc-serial.ts";
import { serveHdlc } from "./hdlc-server.ts";
import { openSerial } from "./serial.ts";

const never = new AbortController().signal;

/** A device of the kernel that one side opens by its path, and the octets of the other side. */
interface PseudoTerminal {
  readonly path: string;
  readonly far: Duplex;
}

/** Opens one for the length of a test, where script(1) can: it passes on what comes and goes. */
function pseudoTerminal(context: TestContext): Promise<PseudoTerminal | undefined> {
  const child = spawn("script", ["-qfc", "tty; exec sleep 600", "/dev/null"], { stdio: ["pipe", "pipe", "ignore"] });
  const far = new Duplex({ read: () => {}, write: (octets, _, done) => void child.stdin.write(octets, () => done()) });
  context.after(() => {
    far.destroy();
    child.kill("SIGKILL");
  });
  child.stdin.on("error", () => {});
  return new Promise((resolve) => {
    let said = "";
    let isOpen = false;
    child.stdout.on("data", (octets: Buffer) => {
      if (isOpen) return void far.push(octets);
      // It says its name once, and is silent from then on.
      said += octets.toString("latin1");
      isOpen = said.endsWith("\n");
      if (isOpen) resolve(said.startsWith("/dev/") ? { path: said.trim(), far } : undefined);
    });
    for (const event of ["error", "exit"] as const) child.on(event, () => resolve(undefined));
  });
}

test("a meter on a device of the kernel is read over HDLC at 9600, 8N1", async (context) => {
  const line = await pseudoTerminal(context);
  assert.ok(line, "script(1) gives no pseudo-terminal: install bsdutils");
  serveHdlc(line.far, { server: echoServer(), logicalDevices: [1] });
  const reached = { path: line.path, clientAddress: 16, server: { logicalDevice: 1 } };
  await using connection = await connectHdlcSerial(reached);
  // Octets that a terminal would act on, had it not been set: interrupt, end, carriage return, stop.
  for (const apdu of ["c0010304", "c00d0a0d111304", `c0${"7e".repeat(300)}`])
    assert.equal(toHex(await connection.exchange(fromHex(apdu), never)), apdu);
});

test("what a device cannot be set to is refused by name", async (context) => {
  const line = await pseudoTerminal(context);
  assert.ok(line, "script(1) gives no pseudo-terminal: install bsdutils");
  const settings = { baudRate: 300, dataBits: 7, parity: "even", stopBits: 1 } as const;
  await assert.rejects(openSerial(line.path, settings), {
    code: "connection-failed",
    message: /stty could not set it/,
  });
});

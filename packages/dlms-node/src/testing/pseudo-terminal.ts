import { spawn } from "node:child_process";
import { Duplex } from "node:stream";
import type { TestContext } from "node:test";

/** A device of the kernel that one side opens by its path, and the octets of the other side. */
export interface PseudoTerminal {
  readonly path: string;
  readonly far: Duplex;
}

/** Opens one for the length of a test, where script(1) can: it passes on what comes and goes. */
export function pseudoTerminal(context: TestContext): Promise<PseudoTerminal | undefined> {
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

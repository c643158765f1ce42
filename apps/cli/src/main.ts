import { run } from "./program.ts";
import type { Terminal } from "./terminal.ts";

const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort());

// Left alone, this signal opens a debugger to everybody on the machine, and the supervisor's other processes could send
// it where they run as the same user.
process.on("SIGUSR1", () => undefined);

const terminal: Terminal = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  interrupted: interrupt.signal,
  exitStatus: 0,
};

// A reader that has closed the pipe (`meterkeep decode … | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

// No top-level await: the launcher loads this file with `require`.
void run(terminal, process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});

import { text } from "node:stream/consumers";
import { type RecoveryJob, runRecovery } from "./recovery.ts";

// A job on standard input, one line of JSON for each step and at last `{ "result" }` or `{ "failed" }` on standard output:
// what opens backups and keys is a process of the custodian's, never the command line.
const write = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
const job = JSON.parse(await text(process.stdin)) as RecoveryJob;
const ending = new AbortController();
if (job.action === "drill") {
  // A drill cleans up whoever ends it: a signal, or the command line that is no more and reads no line.
  const end = (): void => ending.abort(new Error("the drill was broken off; what it restored is gone again"));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, end);
  process.stdout.on("error", end);
}
try {
  const result = await runRecovery(job, (step) => write({ step }), ending.signal);
  write({ result });
} catch (error) {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  write({ failed: { code: typeof code === "string" ? code : "internal-error", message: message ?? String(error) } });
  process.exitCode = 1;
}
// What a drill that was broken off still waits for is nobody's any more.
if (ending.signal.aborted) process.exit();

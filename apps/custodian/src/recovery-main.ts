import { text } from "node:stream/consumers";
import { runRecovery } from "./recovery.ts";

// A job on standard input, one line of JSON for each step and at last `{ "result" }` or `{ "failed" }` on standard output:
// what opens backups and keys is a process of the custodian's, never the command line.
const write = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
try {
  const result = await runRecovery(JSON.parse(await text(process.stdin)), (step) => write({ step }));
  write({ result });
} catch (error) {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  write({ failed: { code: typeof code === "string" ? code : "internal-error", message: message ?? String(error) } });
  process.exitCode = 1;
}

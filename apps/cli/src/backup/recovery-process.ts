import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { CliError, EXIT } from "../error.ts";
import { checkoutDirectory } from "../start/checkout.ts";

/** One line of the process. */
interface Line {
  readonly step?: string;
  readonly result?: unknown;
  readonly failed?: { readonly code: string; readonly message: string };
}

/**
 * Has a process of the custodian's do a job with backups (apps/custodian, recovery.ts): what opens keys is never this one.
 *
 * @param signal ends the job; only for those that clean up, since what is not given goes on without this process
 * @throws CliError `custodian-refused` with its words
 */
export async function inRecoveryProcess<T>(
  job: object,
  onStep: (text: string) => void = () => undefined,
  signal?: AbortSignal,
): Promise<T> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", `${checkoutDirectory()}/apps/custodian/src/recovery-main.ts`],
    { stdio: ["pipe", "pipe", "inherit"], cwd: "/" },
  );
  signal?.addEventListener("abort", () => child.kill("SIGTERM"), { once: true });
  child.stdin.end(JSON.stringify(job));
  let last: Line = {};
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line;
    if (line.step === undefined) last = line;
    else onStep(line.step);
  }
  if (last.failed !== undefined)
    throw new CliError("custodian-refused", `${last.failed.message} (${last.failed.code})`, {
      exitStatus: EXIT.refused,
    });
  if (!("result" in last))
    throw new CliError("custodian-refused", "the recovery process ended without a word", { exitStatus: EXIT.refused });
  return last.result as T;
}

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { dirname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { descendants, type ProcessFacts, processFacts } from "../test/src/process-facts.ts";

/** The root of the checkout. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Runs a command in the checkout with its tools first in the path, output on the terminal; gives its exit status. */
export function run(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<number> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: "inherit",
      ...options,
      env: { ...process.env, PATH: `${ROOT}/node_modules/.bin:${process.env["PATH"] ?? ""}`, ...options.env },
    });
    child.once("error", fail);
    child.once("close", (status) => done(status ?? 1));
  });
}

/** What a command wrote, and how it ended. */
export interface Captured {
  readonly status: number;
  readonly output: string;
  /** It did not end by itself. */
  readonly isEnded: boolean;
}

/** What guards a child ends it when its parent is gone, and clears up behind it: so long it may take. */
const CLEARING_MS = 30_000;
const LOOK_MS = 100;

interface CaptureOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** When it is over the command is ended. */
  readonly enough?: AbortSignal;
  /** How long what the command has started may go on then, so that it can end by itself. */
  readonly clearingMs?: number;
}

/**
 * Runs a command and gives what it wrote with its status, for output that is shown only when it fails. When `enough` is over
 * it is ended, with everything that it has started.
 */
export function capture(
  command: string,
  args: readonly string[],
  { env, enough, clearingMs = CLEARING_MS }: CaptureOptions = {},
): Promise<Captured> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, PATH: `${ROOT}/node_modules/.bin:${process.env["PATH"] ?? ""}`, ...env },
    });
    let output = "";
    const take = (text: string): void => {
      output += text;
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    const end = async (): Promise<void> => {
      await endWithAll(child, clearingMs);
      // Whoever is left that nobody knows of may hold them for ever.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const onEnough = (): void => void end();
    enough?.addEventListener("abort", onEnough, { once: true });
    child.once("error", fail);
    child.once("close", (status) => {
      enough?.removeEventListener("abort", onEnough);
      done({ status: status ?? 1, output, isEnded: enough?.aborted === true });
    });
  });
}

/** Ends a process, and after a while whatever it has started that is still there. */
async function endWithAll(child: ChildProcess, clearingMs: number): Promise<void> {
  const started = child.pid === undefined ? [] : descendants(child.pid);
  const left = (): readonly ProcessFacts[] =>
    started.filter(({ pid, startedAt }) => processFacts(pid)?.startedAt === startedAt);
  child.kill("SIGKILL");
  for (let waitedMs = 0; waitedMs < clearingMs && left().length > 0; waitedMs += LOOK_MS) await sleep(LOOK_MS);
  for (const { pid } of left())
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      // It went by itself between the look and the signal.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
}

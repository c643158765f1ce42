import { spawn } from "node:child_process";
import { once } from "node:events";
import { CHECKOUT, cleanEnvironment } from "./start-meterkeep.ts";
import { until } from "./until.ts";

/** `npm start` in a terminal, as a person sees it: its text and its exit status. */
export interface NpmStart extends AsyncDisposable {
  /** What it has written so far to standard output and standard error. */
  text(): string;
  /** Ctrl-C; is fulfilled with the exit status. */
  interrupt(): Promise<number | null>;
}

/** Runs `npm start -- …` and waits until it says that it runs, or has ended. */
export async function npmStart(args: readonly string[]): Promise<NpmStart> {
  const child = spawn("npm", ["start", "--", ...args], {
    cwd: CHECKOUT,
    env: cleanEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
  const ended = once(child, "close") as Promise<[number | null]>;
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const interrupt = async (): Promise<number | null> => {
    // A terminal sends it to the whole group: npm, its shell and the supervisor.
    if (!hasEnded()) process.kill(-child.pid!, "SIGINT");
    const [status] = await ended;
    return status;
  };
  await until("npm start runs or ends", () => text.includes("Ctrl-C stops it") || hasEnded());
  return { text: () => text, interrupt, [Symbol.asyncDispose]: async () => void (await interrupt()) };
}

/** Runs a line in a shell in the checkout, as somebody who copied it would. */
export async function inShell(
  line: string,
  directory: string = CHECKOUT,
): Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn("/bin/sh", ["-c", line], {
    cwd: directory,
    env: cleanEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    stdout += piece;
  });
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    stderr += piece;
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { status, stdout, stderr };
}

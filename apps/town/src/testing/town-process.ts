import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BenchTown } from "./bench-town.ts";

/** A town in a process of its own, started as the supervisor starts it. */
export interface TownProcess {
  /** What it said before it was ready. */
  readonly messages: readonly { readonly type: string }[];
  /** Resident memory in octets. */
  residentBytes(): number;
  /** Kills it as a power cut would. */
  kill(): Promise<void>;
  /** Stops it as the supervisor does; gives its exit status. */
  stop(): Promise<number | null>;
}

/** Starts the town's main program and waits until it is ready. */
export async function startTownProcess(bench: BenchTown): Promise<TownProcess> {
  const { onFailure: _, patience: __, ...config } = bench.options;
  const configFile = join(config.stateDirectory, "config.json");
  writeFileSync(configFile, JSON.stringify(config));
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  const child = fork(main, [], {
    env: { ...process.env, METERKEEP_CONFIG: configFile },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    // Not those of the test run, whose --test-force-exit ends a town as soon as it has answered.
    execArgv: [],
  });
  const messages: { readonly type: string }[] = [];
  const errors: Buffer[] = [];
  child.stderr?.on("data", (chunk: Buffer) => errors.push(chunk));
  await new Promise<void>((resolve, reject) => {
    child.on("message", (message: { readonly type: string }) => {
      messages.push(message);
      if (message.type === "ready") resolve();
    });
    child.once("exit", (status) =>
      reject(
        new Error(`the town ended with ${status}: ${Buffer.concat(errors).toString()} ${JSON.stringify(messages)}`),
      ),
    );
  });
  return {
    messages,
    residentBytes: () => {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    },
    kill: () => ended(child, () => child.kill("SIGKILL")).then(() => undefined),
    stop: () => ended(child, () => child.send({ type: "stop" })),
  };
}

async function ended(child: ChildProcess, end: () => void): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = once(child, "exit");
  end();
  const [status] = (await exit) as [number | null];
  return status;
}

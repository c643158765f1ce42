import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "@meterkeep/postgres/testing";
import { clockAhead, supervisorAhead } from "./clock-ahead.ts";
import { keepWarm, warm } from "./warm-state.ts";

/** The root of the checkout. */
export const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");

/** How to start the real thing. What is not given is a small town on free ports in a fresh directory. */
export interface MeterkeepOptions {
  readonly meters?: number;
  readonly speed?: number;
  /** A directory to go on with, from {@link Meterkeep.stateDirectory} of an earlier start; not removed at the end. */
  readonly stateDirectory?: string;
  /** As on a machine that never ran it: the pages are built and the sources compiled at the start. Default: what an earlier start built is taken over. */
  readonly cold?: boolean;
  /** Ports to use again; links and cookies hold for one port. */
  readonly ports?: Meterkeep["ports"];
  /** More options of `meterkeep start`. */
  readonly options?: readonly string[];
  /** How long it may take until it runs. Default four minutes: on a busy machine a first start is slow. */
  readonly readyWithinMs?: number;
  /** A module of the checkout that the supervisor loads before it starts: how benches look into the processes. */
  readonly preload?: string;
  /** How far its clock is ahead of this machine's, milliseconds; 0 unless given. */
  readonly aheadMs?: number;
}

/** A running Meterkeep: every process of it is real. */
export interface Meterkeep extends AsyncDisposable {
  /** `http://localhost:PORT`. */
  readonly address: string;
  /** The single-use link; absent when somebody has signed in in this state directory before. */
  readonly signIn: string | undefined;
  readonly stateDirectory: string;
  readonly ports: { readonly http: number; readonly push: number; readonly approvals: number };
  /** The supervisor. */
  readonly pid: number;
  /** What it has reported so far: the JSON lines of `meterkeep start --json`. */
  readonly reports: readonly MeterkeepReport[];
  /** Is fulfilled with the next report for which the condition holds, past ones included. */
  report(condition: (report: MeterkeepReport) => boolean): Promise<MeterkeepReport>;
  /** Process ids by name (`custodian`, `server`, `town`, `depot`, `postgres`), as they are now. */
  pids(): Readonly<Record<string, number>>;
  /** Runs a command of `meterkeep` against it, as its owner. */
  readonly command: RunCommand;
  /** Ctrl-C; is fulfilled with the exit status when everything is closed. Stopping again does nothing. */
  stop(): Promise<number | null>;
  /** `kill -9` of the supervisor; is fulfilled when it is gone (its processes may take a moment longer). */
  kill(): Promise<void>;
}

/** Runs a command of `meterkeep` to its end. */
export type RunCommand = (
  args: readonly string[],
) => Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }>;

/** One line of `meterkeep start --json`. */
export interface MeterkeepReport {
  readonly type: "step" | "warning" | "running" | "sign-in";
  readonly text?: string;
  readonly milliseconds?: number;
  readonly address?: string;
  readonly signIn?: string;
  readonly url?: string;
  readonly seconds?: number;
}

/**
 * Stops the supervisor when the test process is gone, however it went, ends the PostgreSQL that a killed supervisor left
 * behind, and removes the directory. Arguments: process id of the supervisor, state directory, `remove` or nothing.
 */
const GUARDIAN = `
  read -r word
  # Who closed by itself left nothing behind: what runs in the directory now is of the next start.
  if [ "$word" != closed ]; then
    kill -TERM "$1" 2>/dev/null
    for i in $(seq 200); do [ -e "/proc/$1/exe" ] || break; sleep 0.1; done
    kill -KILL "$1" 2>/dev/null
    [ -e "$2/postgres/data/postmaster.pid" ] && kill -QUIT "$(head -n 1 "$2/postgres/data/postmaster.pid")" 2>/dev/null
  fi
  if [ "$3" = remove ]; then
    for i in $(seq 50); do rm -rf "$2" 2>/dev/null && break; sleep 0.1; done
  fi`;

/** Closing takes a second or two; who hangs is ended, and what he said last is shown. */
const CLOSING_PATIENCE_MS = 180_000;

/** Starts Meterkeep as `npm start` does and waits until it runs: `await using meterkeep = await startMeterkeep({ meters: 20 })`. */
export async function startMeterkeep(options: MeterkeepOptions = {}): Promise<Meterkeep> {
  const stateDirectory = options.stateDirectory ?? makeStateDirectory(options.cold);
  const ports = options.ports ?? { http: await freePort(), push: await freePort(), approvals: await freePort() };
  const { aheadMs = 0 } = options;
  const child = spawn(
    process.execPath,
    [
      ...(options.preload === undefined ? [] : ["--import", `${CHECKOUT}/${options.preload}`]),
      ...(aheadMs === 0 ? [] : ["--import", supervisorAhead(aheadMs)]),
      `${CHECKOUT}/apps/cli/src/main.ts`,
      "start",
      "--json",
      ...["--state", stateDirectory],
      ...["--port", String(ports.http), "--push-port", String(ports.push)],
      ...["--approvals-port", String(ports.approvals)],
      ...["--meters", String(options.meters ?? 20)],
      ...(options.speed === undefined ? [] : ["--speed", String(options.speed)]),
      ...(options.options ?? []),
    ],
    { cwd: CHECKOUT, env: cleanEnvironment(), stdio: ["ignore", "pipe", "pipe"], detached: true },
  );
  const guardian = guard(child, stateDirectory, options.stateDirectory === undefined);
  const output = readOutput(child);
  const exited = once(child, "exit") as Promise<[number | null]>;
  // The one word that the guardian waits for: nothing to guard any more but the directory.
  const dismiss = (): void => {
    if (guardian.stdin?.writableEnded === false) guardian.stdin.end(child.exitCode === 0 ? "closed\n" : "");
  };
  const stop = async (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    const hangs = new AbortController();
    const [status] = await Promise.race([
      exited,
      sleep(CLOSING_PATIENCE_MS, undefined, { ref: false, signal: hangs.signal }).then(() => {
        child.kill("SIGKILL");
        throw new Error(`meterkeep did not close: ${JSON.stringify(output.reports.slice(-5))} ${output.complaints()}`);
      }),
    ]);
    hangs.abort();
    keepWarm(stateDirectory);
    dismiss();
    return status;
  };
  const running = await Promise.race([
    output.report(({ type }) => type === "running"),
    exited.then(([status]) =>
      Promise.reject(new Error(`meterkeep start ended with ${status}: ${output.complaints()}`)),
    ),
    sleep(options.readyWithinMs ?? 240_000, undefined, { ref: false }).then(() =>
      Promise.reject(new Error(`meterkeep does not run yet: ${JSON.stringify(output.reports)} ${output.complaints()}`)),
    ),
  ]).catch(async (error: Error) => {
    await stop();
    throw error;
  });
  return {
    address: running.address!,
    signIn: running.signIn,
    stateDirectory,
    ports,
    pid: child.pid!,
    reports: output.reports,
    report: output.report,
    pids: () => readPids(stateDirectory),
    command: (args) =>
      runCommandIn(args, {
        METERKEEP_STATE: stateDirectory,
        ...(aheadMs === 0 ? {} : { NODE_OPTIONS: `--import=${clockAhead(aheadMs)}` }),
      }),
    stop,
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

/** Makes a state directory that the processes can reach; whoever makes it removes it. */
export function makeStateDirectory(cold = false): string {
  const directory = mkdtempSync(`${tmpdir()}/mk-state-`);
  chmodSync(directory, 0o755);
  if (!cold) warm(directory);
  return directory;
}

/** The reports of a process that prints them as JSON lines. */
export function readOutput(child: ChildProcess) {
  const reports: MeterkeepReport[] = [];
  const waiting = new Set<() => void>();
  let complaint = "";
  createInterface({ input: child.stdout! }).on("line", (line) => {
    reports.push(JSON.parse(line) as MeterkeepReport);
    for (const look of waiting) look();
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    complaint = `${complaint}${text}`.slice(-4_000);
  });
  const report = (condition: (report: MeterkeepReport) => boolean): Promise<MeterkeepReport> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = reports.find(condition);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { reports, report, complaints: () => complaint.trim() };
}

/** Ends what a test has started when the test is gone. */
export function guard(child: ChildProcess, directory: string, remove: boolean): ChildProcess {
  const guardian = spawn(
    "/bin/sh",
    ["-c", GUARDIAN, "guardian", String(child.pid), directory, remove ? "remove" : "keep"],
    { cwd: "/", stdio: ["pipe", "ignore", "ignore"], detached: true },
  );
  // Nothing is left to be told to one that has ended.
  guardian.stdin?.on("error", () => undefined);
  guardian.unref();
  (guardian.stdin as Socket).unref();
  return guardian;
}

/** Settings of the surroundings must not reach the Meterkeep under test. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !name.startsWith("METERKEEP_") && !name.startsWith("NODE_TEST_") && name !== "DATABASE_URL",
    ),
  );
}

function readPids(stateDirectory: string): Record<string, number> {
  const pids: Record<string, number> = {};
  for (const name of readdirSync(`${stateDirectory}/pids`)) {
    // What is being written is no process yet.
    if (!name.includes(".")) pids[name] = Number(readFileSync(`${stateDirectory}/pids/${name}`, "utf8").split(" ")[0]);
  }
  const postmaster = `${stateDirectory}/postgres/data/postmaster.pid`;
  const postgres = Number(readIfThere(postmaster).split("\n")[0]);
  // It is written in place, and gone once the server has closed: 0 would be the group of whoever sends a signal.
  if (postgres > 0) pids["postgres"] = postgres;
  return pids;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/** Runs a command of `meterkeep` with these variables. */
export async function runCommandIn(args: readonly string[], variables: NodeJS.ProcessEnv) {
  // As people run it: by its launcher, which keeps what was compiled.
  const child = spawn(process.execPath, [`${CHECKOUT}/apps/cli/bin/meterkeep.cjs`, ...args], {
    cwd: CHECKOUT,
    env: { ...cleanEnvironment(), ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { status: status ?? 1, stdout, stderr };
}

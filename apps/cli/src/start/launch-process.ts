import { type ChildProcess, spawn } from "node:child_process";
import {
  CONFIG_VARIABLE,
  type ProcessMessage,
  type ProcessName,
  STOP_GRACE_MS,
  type SupervisorMessage,
} from "@meterkeep/api/supervisor";
import { StartError } from "./error.ts";
import type { Running } from "./keeper.ts";
import type { ProcessUser } from "./users.ts";

/** How to launch one process under the contract of packages/api/src/supervisor.ts. */
export interface ProcessLaunch {
  readonly name: ProcessName;
  readonly node: string;
  readonly nodeOptions: readonly string[];
  readonly entry: string;
  readonly configFile: string;
  /** Where V8 keeps compiled code. Each process has its own: whoever can write there can run code in it. */
  readonly compileCache: string;
  readonly user: ProcessUser | undefined;
  readonly log: (text: string) => void;
  readonly onMessage: (message: ProcessMessage, pid: number) => void;
}

/** A process of ours that is ready. */
export interface RunningProcess extends Running {
  send(message: SupervisorMessage): void;
}

const READY_MS = 120_000;

/** Launches a process and waits until it says that it is ready. @throws {StartError} `process-failed` */
export function launchProcess(launch: ProcessLaunch, signal: AbortSignal): Promise<RunningProcess> {
  const { name } = launch;
  const child = spawnProcess(launch);
  const lastWords = keepLastWords(child);
  let failure: string | undefined;
  let isEnded = false;
  let facts: RunningProcess["facts"] = {};
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => {
      isEnded = true;
      resolve(error.message);
    });
    onceEnded(child, (status, exitSignal) => {
      isEnded = true;
      resolve(failure ?? describeExit(status, exitSignal, lastWords()));
    });
  });
  const send = (message: SupervisorMessage): void => {
    // A process may die between the check and the write; its exit is what counts then.
    if (child.connected) child.send(message, () => undefined);
  };
  const stop = async (): Promise<void> => {
    if (isEnded) return;
    send({ type: "stop" });
    const late = setTimeout(() => child.kill("SIGKILL"), STOP_GRACE_MS);
    await ended;
    clearTimeout(late);
  };
  const ready = new Promise<void>((resolve, reject) => {
    // Once it is ready, its keeper stops it when its turn comes.
    const abort = (): void => void stop();
    signal.addEventListener("abort", abort, { once: true });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new StartError("process-failed", `${name} was not ready after ${READY_MS / 1_000} s`));
    }, READY_MS);
    child.on("message", (message: ProcessMessage) => {
      if (message.type === "failed") failure = `failed: ${message.message} [${message.code}]`;
      if (message.type === "ready") {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
        facts = message.facts ?? {};
        resolve();
      }
      launch.onMessage(message, child.pid!);
    });
    void ended.then((reason) => {
      signal.removeEventListener("abort", abort);
      clearTimeout(timer);
      reject(new StartError("process-failed", `${name} ${reason}`));
    });
  });
  return ready.then(() => ({ pid: child.pid!, facts, ended, stop, send }));
}

/** Launches a process that does one thing and ends. @throws {StartError} `process-failed` unless it exits with status 0 */
export function runProcess(launch: ProcessLaunch, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawnProcess(launch);
    const lastWords = keepLastWords(child);
    let failure: string | undefined;
    child.on("message", (message: ProcessMessage) => {
      if (message.type === "failed") failure = `failed: ${message.message} [${message.code}]`;
      launch.onMessage(message, child.pid!);
    });
    const abort = (): void => void child.kill("SIGTERM");
    signal.addEventListener("abort", abort, { once: true });
    child.once("error", reject);
    onceEnded(child, (status, exitSignal) => {
      signal.removeEventListener("abort", abort);
      if (status === 0) return resolve();
      const reason = failure ?? describeExit(status, exitSignal, lastWords());
      reject(new StartError("process-failed", `${launch.name} ${reason}`));
    });
  });
}

function spawnProcess(launch: ProcessLaunch): ChildProcess {
  const child = spawn(launch.node, [...launch.nodeOptions, launch.entry], {
    cwd: "/",
    env: environment(launch),
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // A session of its own: Ctrl-C in the terminal is for the supervisor, which closes its processes in order.
    detached: true,
    ...(launch.user !== undefined && { uid: launch.user.uid, gid: launch.user.gid }),
  });
  child.stdout!.setEncoding("utf8").on("data", launch.log);
  child.stderr!.setEncoding("utf8").on("data", launch.log);
  return child;
}

/** Waits for the channel as well: the reason that a process gives for its end may arrive after it has ended. */
function onceEnded(child: ChildProcess, tell: (status: number | null, signal: NodeJS.Signals | null) => void): void {
  child.once("exit", (status, signal) => {
    if (child.connected) child.once("disconnect", () => tell(status, signal));
    else tell(status, signal);
  });
}

/** The end of what a process wrote to its standard error: the message of the error that ended it, when it could not say so itself. */
function keepLastWords(child: ChildProcess): () => string {
  let words = "";
  child.stderr!.on("data", (text: string) => {
    words = `${words}${text}`.slice(-4_000);
  });
  return () => /^\w*(?:Error|Exception)\b.*$/m.exec(words)?.[0] ?? "";
}

function describeExit(status: number | null, signal: NodeJS.Signals | null, lastWords: string): string {
  if (signal !== null) return `was ended by ${signal}`;
  return `exited with status ${status}${lastWords === "" ? "" : ` (${lastWords})`}`;
}

/** Little of our own environment: secrets in it (DATABASE_URL) are for the supervisor alone. */
function environment(launch: ProcessLaunch): NodeJS.ProcessEnv {
  const passed = ["PATH", "LANG", "TZ", "NODE_EXTRA_CA_CERTS", "METERKEEP_DEBUG"];
  return {
    ...Object.fromEntries(
      passed.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
    ),
    NODE_COMPILE_CACHE: launch.compileCache,
    [CONFIG_VARIABLE]: launch.configFile,
  };
}

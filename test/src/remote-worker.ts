import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CHECKOUT,
  cleanEnvironment,
  guard,
  type Meterkeep,
  type RunCommand,
  readOutput,
  runCommandIn,
} from "./start-meterkeep.ts";

/** A worker that has nothing of a Meterkeep but its ticket: as on another machine, save that the network is loopback. */
export interface RemoteWorkerUnderTest extends AsyncDisposable {
  readonly stateDirectory: string;
  /** The process that holds sessions, as it is now. */
  pid(): number | undefined;
  /** The end of what it has written. */
  log(): string;
  /** What joining again with the same ticket comes to. */
  joinAgain(): ReturnType<RunCommand>;
  stop(): Promise<void>;
}

/** Enrols a worker at a running Meterkeep, and joins and starts it in a directory of its own. */
export function startRemoteWorker(meterkeep: Meterkeep, name: string): Promise<RemoteWorkerUnderTest> {
  return startWithTicket((file) => succeed(meterkeep.command(["worker", "enrol", name, file])));
}

/** Joins and starts a worker, by the real commands, with a ticket that somebody writes to a file. */
export async function startWithTicket(write: (file: string) => Promise<void>): Promise<RemoteWorkerUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), "mk-ticket-"));
  const ticket = join(folder, "ticket.json");
  // Short enough for sockets.
  const stateDirectory = mkdtempSync(join(tmpdir(), "mk-far-"));
  // The worker's own user must get to its own folder in it.
  chmodSync(stateDirectory, 0o755);
  const joinAs = (state: string) => runCommandIn(["worker", "join", ticket, "--state", state], {});
  await write(ticket);
  await succeed(joinAs(stateDirectory));
  const child = spawn(
    process.execPath,
    [`${CHECKOUT}/apps/cli/src/main.ts`, "worker", "start", "--json", "--state", stateDirectory],
    { cwd: CHECKOUT, env: cleanEnvironment(), stdio: ["ignore", "pipe", "pipe"], detached: true },
  );
  const guardian = guard(child, stateDirectory, true);
  const output = readOutput(child);
  const exited = once(child, "exit");
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await exited;
    if (guardian.stdin?.writableEnded === false) guardian.stdin.end("closed\n");
    rmSync(folder, { recursive: true, force: true });
  };
  const log = (): string => {
    const file = `${stateDirectory}/log/worker-1.log`;
    return existsSync(file) ? readFileSync(file, "utf8").slice(-4_000) : "";
  };
  try {
    await Promise.race([
      output.report(({ text }) => text?.startsWith("Worker 1 ready") === true),
      exited.then(() => Promise.reject(new Error(`the worker ended: ${output.complaints()} ${log()}`))),
    ]);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    stateDirectory,
    log,
    pid: () => {
      try {
        return Number(readFileSync(`${stateDirectory}/pids/worker-1`, "utf8").split(" ")[0]);
      } catch {
        return undefined;
      }
    },
    joinAgain: () => joinAs(`${folder}/again`),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function succeed(done: ReturnType<RunCommand>): Promise<void> {
  const { status, stderr } = await done;
  if (status !== 0) throw new Error(stderr);
}

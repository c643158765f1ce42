import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { CONFIG_VARIABLE, type SupervisorMessage } from "@meterkeep/api/supervisor";
import { writePrivate } from "./directories.ts";
import type { AppLaunch } from "./processes.ts";

/** The longest a drill may take, in milliseconds. */
const DRILL_MS = 180_000;

/**
 * Runs the process of a drill and hands its lines to the server. It ends with the supervisor: it has no IPC channel, so
 * it is killed by the signal.
 */
export function runDrill(
  launch: AppLaunch,
  drill: string,
  config: object,
  {
    send,
    log,
    signal,
  }: {
    readonly send: (message: SupervisorMessage) => void;
    readonly log: (text: string) => void;
    readonly signal: AbortSignal;
  },
): void {
  writePrivate(launch.configFile, JSON.stringify(config), launch.user);
  const child = spawn(launch.node, [...launch.nodeOptions, launch.entry], {
    cwd: "/",
    env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: launch.compileCache, [CONFIG_VARIABLE]: launch.configFile },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    signal: AbortSignal.any([signal, AbortSignal.timeout(DRILL_MS)]),
    killSignal: "SIGKILL",
    ...(launch.user !== undefined && { uid: launch.user.uid, gid: launch.user.gid }),
  });
  let complaint = "";
  createInterface({ input: child.stdout }).on("line", (line) => send({ type: "drill-line", drill, line }));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = `${complaint}${text}`.slice(-1_000);
    log(text);
  });
  let failed: string | undefined;
  child.once("error", (error) => {
    failed = error.message;
  });
  child.once("close", (status) => {
    const message = failed ?? (status === 0 ? undefined : complaint.trim());
    send({ type: "drill-end", drill, status, ...(message !== undefined && { message }) });
  });
}

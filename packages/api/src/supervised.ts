import { readFileSync } from "node:fs";
import { parseSettings, type Settings, type SettingValues } from "./settings.ts";
import { CONFIG_VARIABLE, type ProcessMessage, type SupervisorMessage } from "./supervisor.ts";

/** The supervisor, seen from one of its processes. */
export interface Supervisor {
  /** Sends a message; without a supervisor (started by hand) steps and readiness are printed instead. */
  send(message: ProcessMessage): void;
  /** Is called for every message except `stop`. */
  onMessage(listener: (message: Exclude<SupervisorMessage, { type: "stop" }>) => void): void;
}

/** What runs, and what closes it. */
export interface SupervisedProcess {
  close(): Promise<void> | void;
}

/**
 * Runs an app under the contract of supervisor.ts: reads and checks its configuration, starts it, closes it on `stop` and
 * SIGTERM, exits at once when the supervisor is gone, and reports a failure with its code before it exits with status 1.
 *
 * An app whose `start` gives nothing has done its work when `start` ends (the factory).
 */
export async function runSupervised<const S extends Settings>(
  settings: S,
  start: (config: SettingValues<S>, supervisor: Supervisor) => Promise<SupervisedProcess | undefined>,
): Promise<void> {
  const supervisor = connect();
  let running: SupervisedProcess | undefined;
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    try {
      await running?.close();
      process.exit(0);
    } catch (error) {
      fail(supervisor, error);
    }
  };
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => void stop());
  process.on("disconnect", () => {
    // A regular stop ends with our own exit; a channel that closes before that means that the supervisor is dead.
    process.exit(stopping ? 0 : 1);
  });
  process.on("message", (message: SupervisorMessage) => {
    if (message.type === "stop") void stop();
  });
  process.on("uncaughtException", (error) => fail(supervisor, error));
  try {
    running = await start(parseSettings(settings, readConfig()), supervisor);
    if (running === undefined) await stop();
  } catch (error) {
    fail(supervisor, error);
  }
}

function readConfig(): unknown {
  const file = process.env[CONFIG_VARIABLE];
  if (file === undefined) throw new Error(`${CONFIG_VARIABLE} must name the configuration file of this process`);
  return JSON.parse(readFileSync(file, "utf8"));
}

function connect(): Supervisor {
  const send = process.send?.bind(process);
  return {
    send: (message) => {
      if (send === undefined) process.stdout.write(`${JSON.stringify(message)}\n`);
      else if (process.connected) send(message);
    },
    onMessage: (listener) => {
      process.on("message", (message: SupervisorMessage) => {
        if (message.type !== "stop") listener(message);
      });
    },
  };
}

function fail(supervisor: Supervisor, error: unknown): void {
  const code =
    error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "internal-error";
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${error instanceof Error ? (error.stack ?? message) : message}\n`);
  const exit = (): void => process.exit(1);
  if (process.send !== undefined && process.connected)
    process.send({ type: "failed", code, message }, undefined, undefined, exit);
  else {
    supervisor.send({ type: "failed", code, message });
    exit();
  }
}

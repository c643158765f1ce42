import type { ProcessMessage, ProcessName, ProcessStatus, SupervisorMessage } from "@meterkeep/api/supervisor";
import type { RunningDatabase } from "./database.ts";
import { writePrivate } from "./directories.ts";
import { Keeper, type Launch, type Running, SYSTEM_TIME } from "./keeper.ts";
import { launchProcess, type ProcessLaunch, type RunningProcess, runProcess } from "./launch-process.ts";
import { type AppLaunch, type AppName, workerNames } from "./processes.ts";
import type { Reporter } from "./reporter.ts";
import { openRotatingLog, type RotatingLog } from "./rotating-log.ts";
import { noteProcess } from "./stale-processes.ts";

/** What a supervisor needs to know. */
export interface SupervisorOptions {
  readonly logDirectory: string;
  /** Where the process ids are noted for the next start. */
  readonly pidDirectory: string;
  readonly describe: (name: AppName) => AppLaunch;
  readonly reporter: Reporter;
  /** Messages that are not about the process itself. */
  readonly onMessage: (name: AppName, message: ProcessMessage, pid: number) => void;
  /** Aborted when everything shall close: what is still starting gives up. */
  readonly signal: AbortSignal;
}

/** Who closes before whom: nobody loses what it still works with. Those in one row close at the same time. */
const STOP_ORDER: readonly (readonly AppName[])[] = [
  ["depot", "server", "gate", ...workerNames(Number.POSITIVE_INFINITY)],
  ["concentrator"],
  ["town"],
  ["custodian", "standby"],
];

/** Names for people. */
const TITLES: Readonly<Record<ProcessName, string>> = {
  postgres: "PostgreSQL",
  custodian: "Custodian",
  standby: "Standby",
  factory: "Factory",
  town: "Town",
  concentrator: "Concentrators",
  server: "Head-end",
  "worker-1": "Worker 1",
  "worker-2": "Worker 2",
  "worker-3": "Worker 3",
  "worker-4": "Worker 4",
  "worker-5": "Worker 5",
  "worker-6": "Worker 6",
  "worker-7": "Worker 7",
  "worker-8": "Worker 8",
  gate: "Gate",
  depot: "Depot",
  drill: "Drill",
};

/**
 * Holds the processes and keeps them running until {@link Supervisor.stop}; the server hears of every change of the
 * others.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #apps = new Map<AppName, Keeper<RunningProcess>>();
  readonly #statuses = new Map<ProcessName, ProcessStatus>();
  readonly #logs = new Map<ProcessName, RotatingLog>();
  #database: Keeper<RunningDatabase> | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** What a process writes goes to `<name>.log` in the log directory. */
  logOf(name: ProcessName): (text: string) => void {
    let log = this.#logs.get(name);
    if (log === undefined) {
      log = openRotatingLog(`${this.#options.logDirectory}/${name}.log`);
      this.#logs.set(name, log);
    }
    return log.write;
  }

  /** Runs a process that ends by itself. Its configuration is gone with it. */
  async runOnce(name: AppName, config: object): Promise<void> {
    const app = this.#options.describe(name);
    writePrivate(app.configFile, JSON.stringify(config), app.user);
    await runProcess({ ...app, ...this.#listeners(name) }, this.#options.signal);
  }

  /** Starts a process and keeps it running. `config` is asked again at every restart. */
  async keep(name: AppName, config: () => object | Promise<object>): Promise<RunningProcess> {
    const launch: Launch<RunningProcess> = async (signal) => {
      const app = this.#options.describe(name);
      writePrivate(app.configFile, JSON.stringify(await config()), app.user);
      return await launchProcess({ ...app, ...this.#listeners(name) }, AbortSignal.any([signal, this.#options.signal]));
    };
    const keeper = new Keeper(name, launch, this.#events(name), SYSTEM_TIME);
    this.#apps.set(name, keeper);
    return await this.#begin(keeper);
  }

  /** Starts the embedded database and keeps it running. */
  async keepDatabase(launch: Launch<RunningDatabase>): Promise<RunningDatabase> {
    this.#database = new Keeper("postgres", launch, this.#events("postgres"), SYSTEM_TIME);
    return await this.#begin(this.#database, false);
  }

  /** Sends to a process if it is ready. */
  send(name: AppName, message: SupervisorMessage): void {
    this.#apps.get(name)?.running?.send(message);
  }

  /** Kills a process, or only where it still is the one with that id; it is then started again. */
  end(name: AppName, pid?: number): void {
    const running = this.#apps.get(name)?.running?.pid;
    if (running !== undefined && (pid === undefined || running === pid)) process.kill(running, "SIGKILL");
  }

  /** Closes everything, the database last. */
  async stop(): Promise<void> {
    for (const names of STOP_ORDER) await Promise.all(names.map(async (name) => this.#apps.get(name)?.stop()));
    await this.#database?.stop();
    for (const log of this.#logs.values()) log.close();
    this.#logs.clear();
  }

  async #begin<R extends Running>(keeper: Keeper<R>, announce = true): Promise<R> {
    const started = performance.now();
    const running = await keeper.start();
    if (announce) {
      this.#options.reporter.step(
        `${TITLES[keeper.name]} ready${describeFacts(running.facts)}`,
        performance.now() - started,
      );
    }
    return running;
  }

  #listeners(name: AppName): Pick<ProcessLaunch, "log" | "onMessage"> {
    return {
      log: this.logOf(name),
      onMessage: (message, pid) => {
        if (message.type === "step") this.#options.reporter.step(`${TITLES[name]}: ${message.text}`);
        else this.#options.onMessage(name, message, pid);
      },
    };
  }

  #events<R extends Running>(name: ProcessName) {
    const { reporter, pidDirectory } = this.#options;
    return {
      onStatus: (status: ProcessStatus): void => {
        // PostgreSQL's launcher finds its own orphans.
        if (status.pid !== undefined && name !== "postgres") noteProcess(pidDirectory, name, status.pid);
        this.#statuses.set(name, status);
        this.send("server", { type: "processes", processes: [...this.#statuses.values()] });
      },
      onDeath: (reason: string, delayMs: number): void =>
        reporter.warn(`${TITLES[name]} ended (${reason}); starting it again in ${delayMs / 1_000} s`),
      onReturn: (running: R): void => reporter.step(`${TITLES[name]} is back${describeFacts(running.facts)}`),
    };
  }
}

function describeFacts(facts: Running["facts"]): string {
  const shown = Object.entries(facts).map(([name, value]) => `${name} ${value}`);
  return shown.length === 0 ? "" : ` (${shown.join(", ")})`;
}

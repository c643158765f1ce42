import { channel, exchangeDirectory, port, stateDirectory } from "./process-settings.ts";
import type { SettingValues } from "./settings.ts";

export { CUSTODIAN_CONFIG, type CustodianConfig } from "./custodian-config.ts";
export {
  GATE_CONFIG,
  type GateConfig,
  REMOTE_WORKER_CONFIG,
  type RemoteWorkerConfig,
  WORKER_TICKET,
  type WorkerTicket,
} from "./gate-config.ts";
export { SERVER_CONFIG, type ServerConfig, WORKER_CONFIG, type WorkerConfig } from "./server-config.ts";
export {
  CONCENTRATOR_CONFIG,
  type ConcentratorConfig,
  concentratorIdentityFile,
  FACTORY_CONFIG,
  type FactoryConfig,
  TOWN_CONFIG,
  type TownConfig,
} from "./simulation-config.ts";

/**
 * The contract between the supervisor (`meterkeep start`) and the processes it starts.
 *
 * - A process finds its configuration in the JSON file named by the environment variable {@link CONFIG_VARIABLE}. The
 *   file lies in the process's own state directory (mode 0700) and only its own user can read it (mode 0600). The
 *   declarations below say what is in it; docs/configuration.md is made from them.
 * - A process never runs as root: the supervisor starts it under its final user. It need not drop anything.
 * - It speaks with the supervisor by Node's IPC channel (`process.send`, `process.on("message")`), in the messages below.
 * - It stops on the message `stop`: it closes what it holds, in order, and exits with status 0. Ctrl-C in a terminal
 *   reaches every process of the group, so it ignores SIGINT; SIGTERM means the same as `stop`.
 * - When the channel closes without `stop`, the supervisor is dead: the process exits at once by itself, so that nothing
 *   is left behind that would block the next start.
 * - What it writes to standard output and standard error goes to `var/log/<process>.log`.
 *
 * `@meterkeep/api/supervised` does the last five points in one call.
 */
export const CONFIG_VARIABLE = "METERKEEP_CONFIG";

/** The processes under the supervisor. */
export const PROCESS_NAMES = [
  "postgres",
  "custodian",
  "standby",
  "factory",
  "town",
  "concentrator",
  "server",
  "worker-1",
  "worker-2",
  "worker-3",
  "worker-4",
  "worker-5",
  "worker-6",
  "worker-7",
  "worker-8",
  "gate",
  "depot",
  "drill",
] as const;
export type ProcessName = (typeof PROCESS_NAMES)[number];

/** What a process tells the supervisor. */
export type ProcessMessage =
  /** Something worth a line on the terminal while the process starts, as a short sentence in the past tense. */
  | { readonly type: "step"; readonly text: string }
  /** The process does its work from now on. `facts` are shown behind the name, for example `{ meters: 204 }`. */
  | { readonly type: "ready"; readonly facts?: { readonly [name: string]: string | number | boolean } }
  /** Why the process is about to exit with a status other than 0. A restart is tried unless `final` is true. */
  | { readonly type: "failed"; readonly code: string; readonly message: string; readonly final?: boolean }
  /** From a custodian or its standby: it holds the database from now on; the one before it is not needed any more. */
  | { readonly type: "took-over" }
  /** From the server: the single-use link for the first administrator, or anew when nobody has claimed one. */
  | { readonly type: "sign-in"; readonly url: string }
  /** From the server: start the process of a drill. */
  | { readonly type: "run-drill"; readonly drill: string; readonly kind: "break-in" };

/** What the supervisor tells a process. */
export type SupervisorMessage =
  /** Close in order and exit with status 0; after {@link STOP_GRACE_MS} the process is killed. */
  | { readonly type: "stop" }
  /** To the server, on every change: how the other processes are. When the town is `ready` again, it has new addresses. */
  | { readonly type: "processes"; readonly processes: readonly ProcessStatus[] }
  /** To the server: one line that the drill process wrote to its standard output (a JSON text). */
  | { readonly type: "drill-line"; readonly drill: string; readonly line: string }
  /** To the server: the drill process has ended; `status` is null when a signal ended it. */
  | { readonly type: "drill-end"; readonly drill: string; readonly status: number | null; readonly message?: string };

/** How one process is. */
export interface ProcessStatus {
  readonly name: ProcessName;
  readonly state: "starting" | "ready" | "restarting" | "stopped" | "failed";
  /** Milliseconds since 1970. */
  readonly since: number;
  /** How often it was started again since `meterkeep start`. */
  readonly restarts: number;
  readonly pid?: number;
}

/** How long a process may take to close after `stop`, in milliseconds. */
export const STOP_GRACE_MS = 8_000;

/** Configuration of apps/depot: the takeover bench of the feeder whose path is `depot` in grid.json. */
export const DEPOT_CONFIG = { stateDirectory, exchangeDirectory, channel } as const;
export type DepotConfig = SettingValues<typeof DEPOT_CONFIG>;

/**
 * Configuration of apps/cli/src/drill/main.ts: a process that holds what a thief of the head-end would hold. It runs
 * under the head-end's user, writes its report to standard output as JSON lines and ends.
 */
export const DRILL_CONFIG = {
  drill: { kind: "text", description: "The id that the server gave." },
  kind: { kind: "choice", of: ["break-in"], description: "Which drill." },
  exchangeDirectory,
  channel,
} as const;
export type DrillConfig = SettingValues<typeof DRILL_CONFIG>;

const place = {
  host: { kind: "text", description: "Its address." },
  port: port("Its port."),
} as const;

/**
 * What the commands of `meterkeep` find in `var/operator/config.json` (readable by whoever ran `meterkeep start` alone):
 * how to reach a running Meterkeep as the machine's owner.
 */
export const OPERATOR_CONFIG = {
  channel,
  exchangeDirectory,
  adminSocket: { kind: "path", description: "The server's Unix socket for the machine's owner." },
  address: { kind: "text", description: "The console's address, for example http://localhost:8420." },
  gate: {
    kind: "record",
    description:
      "Where workers on other machines come in, and where they enrol. Absent where there is no gate for them.",
    optional: true,
    fields: { ...place, enrolment: { kind: "record", description: "The enrolment service.", fields: place } },
  },
} as const;
export type OperatorConfig = SettingValues<typeof OPERATOR_CONFIG>;

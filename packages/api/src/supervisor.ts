import {
  announces,
  channel,
  collectDays,
  database,
  exchangeDirectory,
  island,
  ownerDatabase,
  pushDestinations,
  readEvery,
  sessions,
  stateDirectory,
  switchboard,
  trunkAuthorities,
  trunkCertificate,
  utility,
} from "./process-settings.ts";
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

/** Configuration of apps/factory, which runs once for each of its two actions and exits with status 0. */
export const FACTORY_CONFIG = {
  stateDirectory,
  exchangeDirectory,
  action: {
    kind: "choice",
    of: ["identify", "produce"],
    description:
      "identify: make the signing keys if absent and write manufacturer.json. produce: make meters, a sealed shipment in shipments/, the production file and grid.json.",
  },
  manufacturerName: { kind: "text", description: "The name in manufacturer.json and in shipments." },
  customer: { kind: "text", description: "The name of the utility in the shipment." },
  utility,
  island,
  homes: {
    kind: "integer",
    unit: "meters",
    minimum: 1,
    maximum: 100_000,
    description: "How many homes to make meters for.",
  },
  seed: { kind: "text", description: "The seed of layout and load, never of keys." },
  profiles: {
    kind: "text",
    optional: true,
    description: "Companion profiles of the homes with their shares, such as idis-p2=3,metcom-mcs301=1.",
  },
  factoryKeys: {
    kind: "choice",
    of: ["random", "derived"],
    optional: true,
    description:
      "Where the meters' factory keys come from: the system's generator (random, unless given), or a master of the factory's that is handed over in factory-master.json (derived).",
  },
  productionFile: {
    kind: "path",
    description:
      "produce: where to write the meters' own side (JSON lines, mode 0600, in the factory's directory); the supervisor moves it to the town's directory.",
  },
} as const;
export type FactoryConfig = SettingValues<typeof FACTORY_CONFIG>;

/** Configuration of apps/town. */
export const TOWN_CONFIG = {
  stateDirectory,
  exchangeDirectory,
  productionFile: { kind: "path", description: "The meters' own side, as the factory wrote it (JSON lines)." },
  host: { kind: "text", description: "The loopback address on which the meters listen." },
  basePort: {
    kind: "integer",
    unit: "port",
    minimum: 0,
    maximum: 65_000,
    description: "The first meter's port, counted up from there; 0 lets the system choose each.",
  },
  speed: {
    kind: "number",
    unit: "simulated seconds a second",
    minimum: 1,
    maximum: 86_400,
    description: "How fast the town's time runs. A new value takes effect without a jump of the town's clock.",
  },
  pushHost: { kind: "text", description: "Where the meters push to." },
  pushPort: { kind: "integer", unit: "port", minimum: 1, maximum: 65_535, description: "The push port, TCP and UDP." },
  callPort: {
    kind: "integer",
    unit: "port",
    minimum: 1,
    maximum: 65_535,
    description: "Where meters call that are not called, on the same host.",
    optional: true,
  },
  callers: {
    kind: "integer",
    unit: "meters",
    minimum: 0,
    maximum: 20_000,
    description: "How many of the meters in the field call the head-end and keep the connection; the last ones.",
  },
  manyWays: {
    kind: "flag",
    description:
      "Whether meters in the field are reached in several ways: of each four the first at a port of its own, the others over UDP, over HDLC and behind a gateway.",
  },
  callTls: {
    kind: "record",
    description:
      "Where they call over mutual TLS: all of them, or every second one where there is a `callPort` as well. Their keys and certificates come into the folder `calls` of the state directory; who has none yet waits.",
    optional: true,
    fields: {
      port: { kind: "integer", unit: "port", minimum: 1, maximum: 65_535, description: "On the same host." },
      headEnd: { kind: "text", description: "The common name in the certificate of the head-end." },
    },
  },
} as const;
export type TownConfig = SettingValues<typeof TOWN_CONFIG>;

/** Configuration of apps/concentrator: the data concentrators of a virtual town. */
export const CONCENTRATOR_CONFIG = {
  stateDirectory,
  exchangeDirectory,
  host: { kind: "text", description: "The loopback address on which the concentrators listen." },
  headEnd: { kind: "text", description: "The common name in the certificate of the head-end that they serve." },
  authorities: trunkAuthorities,
  enrolment: {
    kind: "record",
    description: "The enrolment service (EST, RFC 7030) that certifies the keys that they make.",
    fields: {
      host: { kind: "text", description: "A name or address in its certificate." },
      port: { kind: "integer", unit: "port", minimum: 1, maximum: 65_535, description: "Its port." },
    },
  },
  metersEach: {
    kind: "integer",
    unit: "meters",
    minimum: 1,
    maximum: 1_000,
    description: "How many meters each serves; those in the field, in the order of addresses.json.",
  },
  concentrators: {
    kind: "list",
    description: "Who they are.",
    of: {
      kind: "record",
      fields: {
        name: { kind: "text", description: "The common name of its certificate." },
        password: {
          kind: "text",
          optional: true,
          description: "The one-time password that it enrols with. Not needed where it has a certificate.",
        },
      },
    },
  },
} as const;
export type ConcentratorConfig = SettingValues<typeof CONCENTRATOR_CONFIG>;

/** What the file is called in which a concentrator keeps its private key and certificate. */
export function concentratorIdentityFile(name: string): string {
  return `${name}.identity.pem`;
}

const warnings = {
  kind: "list",
  description: "What the page must warn of, found by the supervisor.",
  of: {
    kind: "record",
    fields: {
      code: { kind: "text", description: "Stable name, for example `shared-user`." },
      text: { kind: "text", description: "What is the matter." },
      fix: { kind: "text", description: "What to do." },
    },
  },
} as const;

/** Configuration of apps/server, which runs under `node --permission`: it can read the program and its own directories only. */
export const SERVER_CONFIG = {
  stateDirectory,
  exchangeDirectory,
  database,
  ownerDatabase,
  utility,
  island,
  channel,
  httpHosts: {
    kind: "list",
    of: { kind: "text" },
    description: "The loopback addresses to serve HTTP on, 127.0.0.1 first.",
  },
  httpPort: {
    kind: "integer",
    unit: "port",
    minimum: 0,
    maximum: 65_535,
    description: "The port of the console and the API.",
  },
  pushHost: {
    kind: "text",
    description: "The address of the push port, TCP and UDP: loopback, or what --listen says.",
  },
  pushPort: { kind: "integer", unit: "port", minimum: 0, maximum: 65_535, description: "The push port." },
  timeZone: {
    kind: "text",
    description:
      "IANA name of the utility's time zone: its days, and the deadlines of its service level, are by the clocks there.",
  },
  keepReadings: {
    kind: "integer",
    unit: "days",
    minimum: 2,
    maximum: 36_500,
    description: "How long readings are kept, with the octets they rest on. What is older is deleted once an hour.",
  },
  workers: {
    kind: "integer",
    unit: "processes",
    minimum: 0,
    maximum: 8,
    description: "How many processes of their own hold the sessions with meters. Without any the server holds them.",
  },
  readEvery,
  collectDays,
  sessions,
  announces,
  nats: {
    kind: "record",
    optional: true,
    description: "Where announcements are carried to, and others' come from: NATS with JetStream.",
    fields: {
      url: { kind: "text", description: "nats://host:port or tls://host:port, with user and password or a token." },
      domain: { kind: "text", description: "The JetStream domain of that server.", optional: true },
      gathers: {
        kind: "list",
        of: { kind: "text" },
        description: "At a hub: the JetStream domains of the leaf nodes whose streams it gathers.",
        optional: true,
      },
      hears: { kind: "flag", description: "Whether to take in what other islands tell." },
    },
  },
  gatewayNetworks: {
    kind: "list",
    of: { kind: "text" },
    description:
      "Networks (CIDR) in which serial gateways may stand that the head-end listens to because a user said so.",
  },
  organisation: {
    kind: "record",
    optional: true,
    description: "The OpenID Connect provider with which people may sign in.",
    fields: {
      name: { kind: "text", description: "As people call it." },
      issuer: { kind: "text", description: "Its issuer, an https address, or http on this machine." },
      clientId: { kind: "text", description: "Who we are to it." },
      clientSecret: { kind: "text", optional: true, description: "Absent for a public client." },
    },
  },
  pushDestinations,
  callPort: {
    kind: "integer",
    unit: "port",
    minimum: 0,
    maximum: 65_535,
    description: "Where meters call that keep their connection, on the address of the push port. Without it none do.",
    optional: true,
  },
  callTls: {
    kind: "record",
    description:
      "The same over TLS 1.3 with certificates on both sides: who has none of the utility's own PKI keeps no connection.",
    optional: true,
    fields: {
      port: { kind: "integer", unit: "port", minimum: 0, maximum: 65_535, description: "Where meters call." },
      keyFile: { kind: "path", description: "The private key of its certificate (PEM, PKCS#8, mode 0600)." },
      certificate: trunkCertificate,
      authorities: trunkAuthorities,
    },
  },
  simBudgets: {
    kind: "text",
    optional: true,
    description:
      "What the SIM of one meter may carry in a calendar month (UTC), by network, in megabytes (10^6 octets): `cellular=20,nb-iot=0.5`. Beyond it the meter is read no more until the next month; reading on demand stops before that.",
  },
  wakeUp: {
    kind: "record",
    description: "The gateway that makes meters call, by SMS for instance: a POST with their system title.",
    optional: true,
    fields: {
      url: { kind: "text", description: "Where to post to." },
      authorization: { kind: "text", description: "The header of that name.", optional: true },
    },
  },
  trunk: {
    kind: "record",
    description: "How the head-end proves itself to data concentrators. Without it none are connected to.",
    optional: true,
    fields: {
      keyFile: { kind: "path", description: "The private key of its certificate (PEM, PKCS#8, mode 0600)." },
      certificate: trunkCertificate,
      authorities: trunkAuthorities,
    },
  },
  adminSocket: {
    kind: "path",
    description: "The Unix socket of the machine's owner (mode 0600): new sign-in links, tokens.",
  },
  switchboard,
  hasGate: {
    kind: "flag",
    description: "Whether workers on other machines come over a gate, and use those connections too.",
  },
  consoleDirectory: { kind: "path", description: "The built console; it may appear later." },
  speed: {
    kind: "number",
    unit: "simulated seconds a second",
    minimum: 1,
    maximum: 86_400,
    description: "How fast the town's time runs. The clock itself is in addresses.json.",
  },
  commandOptions: {
    kind: "text",
    description:
      "What a command of `meterkeep` is given to reach this installation, for commands that the page shows: ` --state DIR` with a space before it. Absent when commands find it by themselves.",
    optional: true,
  },
  warnings,
} as const;
export type ServerConfig = SettingValues<typeof SERVER_CONFIG>;

/** Configuration of a worker (apps/server/src/worker-main.ts), under the same permissions and user as the server. */
export const WORKER_CONFIG = {
  stateDirectory,
  exchangeDirectory,
  database,
  utility,
  island,
  channel,
  readEvery,
  collectDays,
  sessions,
  announces,
  pushHost: { kind: "text", description: "Where meters push to, as the server has it: what a push set-up may name." },
  pushPort: { kind: "integer", unit: "port", minimum: 0, maximum: 65_535, description: "Its port." },
  pushDestinations,
  switchboard,
} as const;
export type WorkerConfig = SettingValues<typeof WORKER_CONFIG>;

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
  port: { kind: "integer", unit: "port", minimum: 1, maximum: 65_535, description: "Its port." },
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

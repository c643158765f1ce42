import type { SettingValues } from "./settings.ts";

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
  "factory",
  "town",
  "concentrator",
  "server",
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

/** Where the custodian listens, and how a process proves who it is there (ADR 0001). */
const channel = {
  kind: "record",
  description: "How the process reaches the custodian.",
  fields: {
    socketPath: { kind: "path", description: "The custodian's Unix socket." },
    keyFile: { kind: "path", description: "The private key of this principal (PEM, PKCS#8, mode 0600)." },
    certificate: { kind: "text", description: "The certificate of this principal (PEM)." },
    custodianCertificate: { kind: "text", description: "The custodian's certificate (PEM), to be pinned." },
  },
} as const;

const stateDirectory = { kind: "path", description: "The directory of this process alone (mode 0700)." } as const;
const exchangeDirectory = {
  kind: "path",
  description:
    "Files that pass between the processes, world-readable: recipient.json, manufacturer.json, grid.json, addresses.json, shipments/*.mks. Each is written by one process, under another name first and then renamed.",
} as const;
const database = {
  kind: "text",
  description: "Connection string of this process's own database and role, for `createPool` of @meterkeep/postgres.",
} as const;
const ownerDatabase = {
  kind: "text",
  description:
    "Connection string of the database's owner, who alone may change the schema. The process brings the schema up to date with it and then makes its password useless; `database` is a role that may do no more than the program does.",
  optional: true,
} as const;
const utility = { kind: "text", description: "The utility (tenant) that the meters belong to." } as const;
const island = { kind: "text", description: "The island that the meters belong to." } as const;

/** Configuration of apps/custodian. */
export const CUSTODIAN_CONFIG = {
  stateDirectory,
  exchangeDirectory,
  database,
  ownerDatabase,
  utility,
  island,
  socketPath: { kind: "path", description: "Where to listen. The directory exists and belongs to the custodian." },
  keyFile: { kind: "path", description: "The private key of the custodian's own channel credential (PEM, mode 0600)." },
  certificate: { kind: "text", description: "The custodian's own certificate (PEM)." },
  rootKeyFile: { kind: "path", description: "The vault's root key (mode 0600); made on first run when absent." },
  passphraseFile: {
    kind: "path",
    description: "A file (mode 0600) with the passphrase that the root key is derived from, instead of rootKeyFile.",
    optional: true,
  },
  tokensFile: {
    kind: "path",
    description:
      'A file (mode 0600) with the PKCS#11 tokens that the vault is in, instead of rootKeyFile: a JSON list of { "library", "label", "pin", "sessions"?, "env"? }.',
    optional: true,
  },
  escrowDirectory: {
    kind: "path",
    description:
      "Where every new key is kept, sealed, before it is sent to a meter, and every change of the database is noted; it should be on other storage than the database. `escrow` in stateDirectory when absent.",
    optional: true,
  },
  recovery: {
    kind: "list",
    of: { kind: "text" },
    description:
      "Who can open backups: public recovery keys, each as the JSON text that `meterkeep backup key` wrote. None are made when absent.",
    optional: true,
  },
  standbyAfter: {
    kind: "integer",
    unit: "milliseconds",
    minimum: 2_000,
    maximum: 3_600_000,
    description:
      "Makes this process a standby: it waits while another custodian holds the database, and takes its place when that one is gone or has given no sign for so long. Without it a second custodian refuses to start.",
    optional: true,
  },
  pagePort: {
    kind: "integer",
    unit: "port",
    minimum: 1,
    maximum: 65_535,
    description:
      "Where the custodian's own page is, on loopback: people see there what they approve, and sign it with passkeys. No page when absent; user keys approve by the command line.",
    optional: true,
  },
  field: {
    kind: "record",
    description:
      "Where the technicians' page is, on loopback: a handheld in the browser, which visits meters offline under a lease. No such page when absent.",
    fields: {
      port: { kind: "integer", unit: "port", minimum: 1, maximum: 65_535, description: "Its port." },
      directory: { kind: "path", description: "Where it was built." },
      origin: {
        kind: "text",
        description:
          "What browsers call it, where a server with a certificate stands before it, as phones need it: `https://field.example`. `http://localhost:PORT` when absent.",
        optional: true,
      },
    },
    optional: true,
  },
  probeSpacing: {
    kind: "integer",
    unit: "milliseconds",
    minimum: 0,
    maximum: 86_400_000,
    description:
      "How long to wait before a meter that may hold other keys is tried with the same ones again. An hour when absent, as meters in the field want it.",
    optional: true,
  },
  sealBudget: {
    kind: "record",
    description:
      "How many invocation counters of one meter one principal may use up; opening a session costs 8. A burst of 4 096 and 32 a second when absent: enough for a session of twenty requests every second, and 2^32 counters last four years.",
    fields: {
      burst: { kind: "integer", unit: "counters", minimum: 64, maximum: 1_000_000_000, description: "At once." },
      perSecond: {
        kind: "number",
        unit: "counters a second",
        minimum: 0.1,
        maximum: 1_000_000_000,
        description: "What comes back.",
      },
    },
    optional: true,
  },
  ledger: {
    kind: "record",
    description: "How the custodian's ledger is kept; what is in `ledger.json` of the state directory.",
    optional: true,
    fields: {
      everyEntries: {
        kind: "integer",
        unit: "entries",
        minimum: 1,
        maximum: 1_000_000,
        description: "A checkpoint is signed after so many entries; 4 096 when absent.",
        optional: true,
      },
      everySeconds: {
        kind: "integer",
        unit: "seconds",
        minimum: 1,
        maximum: 86_400,
        description: "And after so many seconds, where there are new entries; 30 when absent.",
        optional: true,
      },
      longestAwaySeconds: {
        kind: "integer",
        unit: "seconds",
        minimum: 60,
        maximum: 31_536_000,
        description: "A witness that is away for longer stops what uses keys; a day when absent.",
        optional: true,
      },
      witnesses: {
        kind: "list",
        description: "Who remembers how far the ledger had grown, besides the file in the custodian's own directory.",
        optional: true,
        of: {
          kind: "record",
          fields: {
            name: { kind: "text", description: "Its name in the ledger." },
            path: { kind: "text", description: "Of a file on other storage.", optional: true },
            address: {
              kind: "text",
              description: "Of a second instance: https://host:port, or unix:/path.",
              optional: true,
            },
            keys: { kind: "text", description: "Of an instance: its witness.json, as JSON text.", optional: true },
            certificate: { kind: "text", description: "Of an instance over HTTPS (PEM).", optional: true },
          },
        },
      },
      approvers: {
        kind: "list",
        description: "Who may approve, two together, that a ledger goes on after a loss.",
        optional: true,
        of: {
          kind: "record",
          fields: {
            name: { kind: "text", description: "The person." },
            publicKey: { kind: "text", description: "P-384, Ed25519 or ML-DSA-65 (SPKI, PEM)." },
          },
        },
      },
    },
  },
  pki: {
    kind: "record",
    description: "How the authorities of the PKI are kept (ADR 0021).",
    optional: true,
    fields: {
      address: {
        kind: "text",
        description:
          "Where relying parties reach revocation lists and answers; it goes into certificates. http://localhost:8420/pki when absent.",
        optional: true,
      },
      developmentTree: {
        kind: "flag",
        description:
          "Where there is no authority yet, make a whole tree for this utility and island: its root signs one scheme and is forgotten. For development; elsewhere a root is made in a ceremony.",
        optional: true,
      },
      enrolment: {
        kind: "record",
        description:
          "Where the enrolment service (EST, RFC 7030) listens. Without it nobody enrols but over the custodian's socket.",
        optional: true,
        fields: {
          host: { kind: "text", description: "An address of this machine." },
          port: {
            kind: "integer",
            unit: "port",
            minimum: 0,
            maximum: 65_535,
            description: "TCP; 0 lets the system choose.",
          },
          names: {
            kind: "list",
            of: { kind: "text" },
            description: "Names and addresses under which clients reach it: they stand in its certificate.",
          },
        },
      },
      limits: {
        kind: "list",
        description: "Who may order more certificates in 24 hours than 1 000, or fewer.",
        optional: true,
        of: {
          kind: "record",
          fields: {
            requester: { kind: "text", description: "The proven name: a principal, or a client of enrolment." },
            perDay: {
              kind: "integer",
              unit: "certificates in 24 hours",
              minimum: 0,
              maximum: 1_000_000_000,
              description: "How many.",
            },
          },
        },
      },
    },
  },
  meterKeys: {
    kind: "list",
    description:
      "How the working keys of an island's meters are kept while they are used; of an island that is not named, for as long as a session is open.",
    optional: true,
    of: {
      kind: "record",
      fields: {
        utility: { kind: "text", description: "The utility." },
        island: { kind: "text", description: "The island." },
        keep: {
          kind: "choice",
          of: ["session", "call", "token"],
          description:
            "session: in clear in the custodian while a session is open. call: unsealed for each call anew and wiped after it. token: unicast encryption keys that are sealed from now on are in clear in tokens alone, save for the moments in which they are changed; the authentication key is unsealed for each call.",
        },
      },
    },
  },
  keyService: {
    kind: "record",
    description:
      "Where the key service listens for head-ends of other vendors (ADR 0018). Without it the custodian listens on its socket alone.",
    optional: true,
    fields: {
      host: { kind: "text", description: "An address of this machine." },
      port: {
        kind: "integer",
        unit: "port",
        minimum: 0,
        maximum: 65_535,
        description: "TCP; 0 lets the system choose.",
      },
      keyFile: { kind: "path", description: "The private key of its TLS certificate (PEM, PKCS#8, mode 0600)." },
      certificate: { kind: "text", description: "That certificate (PEM), which names its hosts." },
    },
  },
  separateUser: {
    kind: "flag",
    description: "Whether the custodian runs under a user of its own; the page warns if not.",
  },
  principals: {
    kind: "list",
    description: "Who may connect. The principal is the certificate that was proven.",
    of: {
      kind: "record",
      fields: {
        name: { kind: "text", description: "The name in the ledger." },
        role: { kind: "choice", of: ["head-end", "depot", "operator"], description: "What it may ask." },
        certificate: { kind: "text", description: "Its certificate (PEM)." },
      },
    },
  },
  manufacturers: {
    kind: "list",
    description: "Whose shipments are accepted, by installer-level trust.",
    of: {
      kind: "record",
      fields: {
        name: { kind: "text", description: "The manufacturer's name." },
        flag: { kind: "text", description: "Its three-letter FLAG id." },
        ecdsaPublicKey: { kind: "text", description: "ECDSA P-384 public key (SPKI DER, base64url)." },
        mldsaPublicKey: { kind: "text", description: "ML-DSA-65 public key (SPKI DER, base64url)." },
        simulated: {
          kind: "flag",
          description:
            "Its meters are virtual: they are shown as such, run on the town's clock and are targets of drills. Absent means real.",
          optional: true,
        },
      },
    },
  },
} as const;
export type CustodianConfig = SettingValues<typeof CUSTODIAN_CONFIG>;

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
    maximum: 3_600,
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
} as const;
export type TownConfig = SettingValues<typeof TOWN_CONFIG>;

const trunkCertificate = {
  kind: "text",
  description: "That certificate with those above it below the root (PEM).",
} as const;
const trunkAuthorities = {
  kind: "text",
  description: "The roots of the PKI that certificates of the other end must lead to (PEM).",
} as const;

/** Configuration of apps/concentrator: the data concentrators of a virtual town. */
export const CONCENTRATOR_CONFIG = {
  stateDirectory,
  exchangeDirectory,
  host: { kind: "text", description: "The loopback address on which the concentrators listen." },
  headEnd: { kind: "text", description: "The common name in the certificate of the head-end that they serve." },
  authorities: trunkAuthorities,
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
        keyFile: { kind: "path", description: "The private key of its certificate (PEM, PKCS#8, mode 0600)." },
        certificate: trunkCertificate,
      },
    },
  },
} as const;
export type ConcentratorConfig = SettingValues<typeof CONCENTRATOR_CONFIG>;

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
  keepReadings: {
    kind: "integer",
    unit: "days",
    minimum: 2,
    maximum: 36_500,
    description: "How long readings are kept, with the octets they rest on. What is older is deleted once an hour.",
  },
  readEvery: {
    kind: "integer",
    unit: "seconds at the source",
    minimum: 60,
    maximum: 2_592_000,
    description:
      "How often each meter is read. What is shorter than the period of its load profile means once a period; a day means one session a day for all its intervals.",
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
  pushDestinations: {
    kind: "list",
    of: { kind: "text" },
    description:
      "Further destinations, as host:port, that push set-ups of meters may name: what the push port is called in their network. Any other is an incident.",
  },
  callPort: {
    kind: "integer",
    unit: "port",
    minimum: 0,
    maximum: 65_535,
    description: "Where meters call that keep their connection, on the address of the push port. Without it none do.",
    optional: true,
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
  consoleDirectory: { kind: "path", description: "The built console; it may appear later." },
  speed: {
    kind: "number",
    unit: "simulated seconds a second",
    minimum: 1,
    maximum: 3_600,
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

/**
 * What the commands of `meterkeep` find in `var/operator/config.json` (readable by whoever ran `meterkeep start` alone):
 * how to reach a running Meterkeep as the machine's owner.
 */
export const OPERATOR_CONFIG = {
  channel,
  exchangeDirectory,
  adminSocket: { kind: "path", description: "The server's Unix socket for the machine's owner." },
  address: { kind: "text", description: "The console's address, for example http://localhost:8420." },
} as const;
export type OperatorConfig = SettingValues<typeof OPERATOR_CONFIG>;

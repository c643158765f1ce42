import {
  announces,
  channel,
  collectDays,
  database,
  exchangeDirectory,
  island,
  ownerDatabase,
  port,
  powerQuality,
  pushDestinations,
  pushTarget,
  readEvery,
  sessions,
  stateDirectory,
  switchboard,
  trunkAuthorities,
  trunkCertificate,
  utility,
} from "./process-settings.ts";
import type { SettingValues } from "./settings.ts";

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
  httpPort: port("The port of the console and the API.", 0),
  pushHost: {
    kind: "text",
    description: "The address of the push port, TCP and UDP: loopback, or what --listen says.",
  },
  pushPort: port("The push port.", 0),
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
  powerQuality,
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
    ...port("Where meters call that keep their connection, on the address of the push port. Without it none do.", 0),
    optional: true,
  },
  callTls: {
    kind: "record",
    description:
      "The same over TLS 1.3 with certificates on both sides: who has none of the utility's own PKI keeps no connection.",
    optional: true,
    fields: {
      port: port("Where meters call.", 0),
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
  powerQuality,
  sessions,
  announces,
  ...pushTarget,
  pushDestinations,
  switchboard,
} as const;
export type WorkerConfig = SettingValues<typeof WORKER_CONFIG>;

import {
  announces,
  channel,
  collectDays,
  database,
  exchangeDirectory,
  island,
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

const address = {
  host: { kind: "text", description: "A name or address." },
  port: port("TCP."),
} as const;

/** Configuration of apps/server/src/gate/gate-main.ts, under the same user as the server: the way in for workers on other machines. */
export const GATE_CONFIG = {
  stateDirectory,
  exchangeDirectory,
  database,
  utility,
  island,
  channel,
  host: { kind: "text", description: "The address of this machine on which workers come in." },
  port: port("TCP; 0 lets the system choose.", 0),
  keyFile: { kind: "path", description: "The private key of its certificate (PEM, PKCS#8, mode 0600)." },
  certificate: trunkCertificate,
  authorities: trunkAuthorities,
  switchboard,
  readEvery,
  collectDays,
  powerQuality,
  announces,
  ...pushTarget,
  pushDestinations,
} as const;
export type GateConfig = SettingValues<typeof GATE_CONFIG>;

const ticket = {
  name: { kind: "text", description: "The common name of its certificate: what the ledger calls it, after `worker:`." },
  gate: { kind: "record", description: "Where it comes in.", fields: address },
  enrolment: {
    kind: "record",
    description: "The enrolment service (EST, RFC 7030) that certifies its key.",
    fields: address,
  },
  authorities: trunkAuthorities,
  custodianCertificate: { kind: "text", description: "The custodian's certificate (PEM), to be pinned." },
} as const;

/** What `meterkeep worker enrol` writes for another machine, and `meterkeep worker join` reads there. */
export const WORKER_TICKET = {
  format: { kind: "choice", of: ["meterkeep-worker-1"], description: "What this is." },
  ...ticket,
  password: { kind: "text", description: "The one-time password that its key is certified for." },
} as const;
export type WorkerTicket = SettingValues<typeof WORKER_TICKET>;

/** Configuration of a worker on another machine (apps/server/src/gate/remote-worker-main.ts). */
export const REMOTE_WORKER_CONFIG = {
  stateDirectory,
  socketDirectory: {
    kind: "path",
    description:
      "A directory of this process alone (mode 0700) for the sockets by which it reaches what lies behind the gate.",
  },
  identityFile: { kind: "path", description: "Its private key and certificate (PEM, mode 0600)." },
  sessions,
  ...ticket,
} as const;
export type RemoteWorkerConfig = SettingValues<typeof REMOTE_WORKER_CONFIG>;

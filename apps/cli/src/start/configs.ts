import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import type {
  ConcentratorConfig,
  CustodianConfig,
  DepotConfig,
  DrillConfig,
  FactoryConfig,
  GateConfig,
  OperatorConfig,
  ServerConfig,
  TownConfig,
  WorkerConfig,
} from "@meterkeep/api/supervisor";
import { isHost } from "@meterkeep/pki";
import { CliError } from "../error.ts";
import type { StoredCredential } from "./credentials.ts";
import type { DatabaseUrls } from "./database.ts";
import { type Directories, escrowFolder } from "./directories.ts";
import type { Installation } from "./installation.ts";
import { ledgerSettings } from "./ledger-settings.ts";
import { trustedManufacturers } from "./manufacturers.ts";
import { organisationSettings } from "./organisation-settings.ts";
import { recoverySettings } from "./recovery-settings.ts";
import {
  enrolmentOf,
  isKeeping,
  isKeyOrigin,
  keyServiceOf,
  networksOf,
  pkiAddressOf,
  pkiLimitsOf,
  type StartConfig,
  workerGateOf,
} from "./start-config.ts";
import { commandOptions } from "./suggestions.ts";
import { HEAD_END, type TrunkCredentials } from "./trunk-credentials.ts";
import { vaultSecretFiles } from "./vault-secrets.ts";

/** What all configurations are made from. */
export interface ConfigSources {
  readonly config: StartConfig;
  readonly installation: Installation;
  readonly directories: Directories;
  readonly credentials: {
    readonly custodian: StoredCredential;
    readonly headEnd: StoredCredential;
    readonly depot: StoredCredential;
    readonly operator: StoredCredential;
    /** Where the key service is wanted. */
    readonly keyService?: StoredCredential | undefined;
  };
  /** Where there are concentrators. */
  readonly trunk: TrunkCredentials | undefined;
  readonly databases: DatabaseUrls;
  readonly separateUsers: boolean;
  readonly warnings: ServerConfig["warnings"];
}

const VIRTUAL_PROBE_SPACING_MILLISECONDS = 2_000;
const MANUFACTURER = "Meterkeep Virtual Meters";
const UTILITY_NAME = "Meterkeep Town Utility";

export function productionFile({ town }: Directories): string {
  return `${town}/production.jsonl`;
}

export function factoryConfig(
  { config, directories, installation }: Pick<ConfigSources, "config" | "directories" | "installation">,
  action: FactoryConfig["action"],
): FactoryConfig {
  return {
    stateDirectory: directories.factory,
    exchangeDirectory: directories.exchange,
    action,
    manufacturerName: MANUFACTURER,
    customer: UTILITY_NAME,
    utility: installation.utility,
    island: installation.island,
    homes: installation.meters,
    seed: installation.seed,
    ...(installation.profiles !== undefined && { profiles: installation.profiles }),
    ...(isKeyOrigin(config.factoryKeys) && { factoryKeys: config.factoryKeys }),
    productionFile: `${directories.factory}/production.jsonl`,
  };
}

/** Of a custodian that waits where another one holds the database, and takes over when that is gone or silent. */
export function standbyConfig(sources: ConfigSources): CustodianConfig {
  const { standby } = sources.config;
  return { ...custodianConfig(sources), ...(standby !== undefined && { standbyAfter: standby * 1_000 }) };
}

export function custodianConfig(sources: ConfigSources): CustodianConfig {
  const { config, directories, credentials, installation } = sources;
  return {
    stateDirectory: directories.custodian,
    exchangeDirectory: directories.exchange,
    database: sources.databases.custodian.role,
    ownerDatabase: sources.databases.custodian.owner,
    utility: installation.utility,
    island: installation.island,
    socketPath: custodianSocket(directories),
    keyFile: credentials.custodian.keyFile,
    certificate: credentials.custodian.certificate,
    rootKeyFile: `${directories.custodian}/root.key`,
    ...vaultSecretFiles(config, directories),
    ...(config.escrowDirectory !== undefined && { escrowDirectory: escrowFolder(config.escrowDirectory) }),
    pagePort: config.approvalsPort,
    ...fieldConfig(sources),
    ...ledgerSettings(directories),
    pki: pkiConfig(config),
    ...recoverySettings(directories),
    ...keyServiceConfig(sources),
    ...(isKeeping(config.meterKeys) && {
      meterKeys: [{ utility: installation.utility, island: installation.island, keep: config.meterKeys }],
    }),
    separateUser: sources.separateUsers,
    // The meters of this start are virtual: they have no lock-out, and a newcomer should see the liars caught.
    probeSpacing: VIRTUAL_PROBE_SPACING_MILLISECONDS,
    principals: [
      { name: "head-end", role: "head-end", certificate: credentials.headEnd.certificate },
      { name: "depot", role: "depot", certificate: credentials.depot.certificate },
      { name: "operator", role: "operator", certificate: credentials.operator.certificate },
    ],
    manufacturers: trustedManufacturers(directories),
  };
}

function fieldConfig({ config, directories }: ConfigSources): Pick<CustodianConfig, "field"> {
  const { fieldPort: port, fieldOrigin: origin } = config;
  if (port === undefined) return {};
  return { field: { port, directory: directories.fieldPage, ...(origin !== undefined && { origin }) } };
}

function keyServiceConfig({ config, credentials }: ConfigSources): Pick<CustodianConfig, "keyService"> {
  const address = keyServiceOf(config);
  return address === undefined || credentials.keyService === undefined
    ? {}
    : { keyService: { ...address, ...credentials.keyService } };
}

function pkiConfig(config: StartConfig): NonNullable<CustodianConfig["pki"]> {
  const address = enrolmentOf(config);
  return {
    address: pkiAddressOf(config) ?? `${consoleAddress(config)}/pki`,
    developmentTree: true,
    limits: pkiLimitsOf(config),
    ...(address && { enrolment: { ...address, names: keyServiceHosts(address.host) } }),
  };
}

/** What the key service's certificate names: every address by which it can be reached. */
export function keyServiceHosts(host: string): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
  const own = ANY_ADDRESS[host] === undefined ? [host] : addresses.filter((address) => !address.includes("%"));
  return [...new Set([...own, "localhost", hostname()])].filter(
    (name) => isIP(name) !== 0 || isHost({ kind: "dNSName", value: name }),
  );
}

export function townConfig({ config, directories }: Pick<ConfigSources, "config" | "directories">): TownConfig {
  return {
    stateDirectory: directories.town,
    exchangeDirectory: directories.exchange,
    productionFile: productionFile(directories),
    host: "127.0.0.1",
    basePort: config.meterPort,
    speed: config.speed,
    pushHost: ANY_ADDRESS[config.listen] ?? config.listen,
    pushPort: config.pushPort,
    manyWays: config.townWays === "many",
    ...townCalls(config),
  };
}

function townCalls({
  callPort,
  callTlsPort: port,
  callers,
}: ConfigSources["config"]): Pick<TownConfig, "callPort" | "callTls" | "callers"> {
  return {
    callers: callPort === undefined && port === undefined ? 0 : callers,
    ...(callPort !== undefined && { callPort }),
    ...(port !== undefined && { callTls: { port, headEnd: HEAD_END } }),
  };
}

function listOf(text: string | undefined): string[] {
  return (text ?? "").split(",").flatMap((item) => (item.trim() === "" ? [] : [item.trim()]));
}

/** Meters that one concentrator of the town serves, as many as one does in the field. */
const METERS_A_CONCENTRATOR = 130;

/** Passwords are made anew at each start of theirs, for those that have not enrolled. */
export async function concentratorConfig({
  config,
  directories,
  trunk,
}: Pick<ConfigSources, "config" | "directories"> & { readonly trunk: TrunkCredentials }): Promise<ConcentratorConfig> {
  const { host, port } = enrolmentOf(config) as { host: string; port: number };
  return {
    stateDirectory: directories.concentrator,
    exchangeDirectory: directories.exchange,
    host: "127.0.0.1",
    headEnd: trunk.headEnd.name,
    authorities: trunk.authorities,
    metersEach: METERS_A_CONCENTRATOR,
    enrolment: { host: ANY_ADDRESS[host] ?? host, port },
    concentrators: await trunk.concentrators(),
  };
}

const ANY_ADDRESS: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

export function serverConfig(sources: ConfigSources): ServerConfig {
  const { config, directories, installation } = sources;
  return {
    stateDirectory: directories.headEnd,
    exchangeDirectory: directories.exchange,
    database: sources.databases.headEnd.role,
    ownerDatabase: sources.databases.headEnd.owner,
    utility: installation.utility,
    island: installation.island,
    channel: channelOf(sources, "headEnd"),
    httpHosts: loopbackHosts(),
    httpPort: config.port,
    pushHost: config.listen,
    pushPort: config.pushPort,
    timeZone: knownTimeZone(config.timeZone),
    keepReadings: config.keepReadings,
    workers: config.workers,
    ...collecting(config),
    ...natsConfig(config),
    gatewayNetworks: networksOf(config),
    pushDestinations: listOf(config.pushDestinations),
    ...(config.callPort !== undefined && { callPort: config.callPort }),
    ...(config.simBudgets !== undefined && { simBudgets: config.simBudgets }),
    ...(config.wakeUpUrl !== undefined && {
      wakeUp: {
        url: config.wakeUpUrl,
        ...(config.wakeUpAuthorization !== undefined && { authorization: config.wakeUpAuthorization }),
      },
    }),
    ...trunkSettings(sources),
    ...organisationSettings(config),
    adminSocket: adminSocket(directories),
    switchboard: switchboard(directories),
    hasGate: config.workerGate !== undefined,
    consoleDirectory: directories.console,
    speed: config.speed,
    ...(config.state !== undefined && { commandOptions: commandOptions(directories.state) }),
    warnings: sources.warnings,
  };
}

/** @throws {CliError} `option-invalid` for a name that the time zone database does not have. */
function knownTimeZone(name: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  } catch (cause) {
    throw new CliError("option-invalid", `--time-zone: there is no time zone "${name}"; names are as Europe/Berlin`, {
      cause,
    });
  }
}

/** Days that are collected: a day can be made whole until the last deadline of its service level. */
const COLLECT_DAYS = 2;

function collecting({
  readEvery,
  powerQuality,
  sessions,
  announce,
  nats,
}: StartConfig): Pick<WorkerConfig, "readEvery" | "collectDays" | "powerQuality" | "sessions" | "announces"> {
  return {
    ...{ readEvery, collectDays: COLLECT_DAYS, powerQuality: powerQuality === "yes", sessions },
    announces: announce === "yes" || nats !== undefined,
  };
}

function natsConfig({ nats, natsDomain, natsGathers, natsHears }: StartConfig): Pick<ServerConfig, "nats"> {
  if (nats === undefined) return {};
  return {
    nats: {
      url: nats,
      hears: natsHears === "yes",
      ...(natsDomain !== undefined && { domain: natsDomain }),
      ...(natsGathers !== undefined && { gathers: listOf(natsGathers) }),
    },
  };
}

export function workerConfig(sources: ConfigSources): WorkerConfig {
  const { config, directories, installation } = sources;
  return {
    stateDirectory: directories.headEnd,
    exchangeDirectory: directories.exchange,
    database: sources.databases.headEnd.role,
    utility: installation.utility,
    island: installation.island,
    channel: channelOf(sources, "headEnd"),
    ...collecting(config),
    pushHost: config.listen,
    pushPort: config.pushPort,
    pushDestinations: listOf(config.pushDestinations),
    switchboard: switchboard(directories),
  };
}

/** Of the way in for workers on other machines. */
export function gateConfig(sources: ConfigSources): GateConfig {
  const { stateDirectory, exchangeDirectory, database, utility, island, channel, ...told } = workerConfig(sources);
  const { sessions: _, ...settings } = told;
  const { gate, authorities } = sources.trunk as TrunkCredentials;
  const { keyFile, certificate } = gate as StoredCredential;
  return {
    stateDirectory,
    exchangeDirectory,
    database,
    utility,
    island,
    channel,
    ...settings,
    ...(workerGateOf(sources.config) as { host: string; port: number }),
    keyFile,
    certificate,
    authorities,
  };
}

/** How the head-end proves itself to concentrators and to meters that call. */
function trunkSettings({ config, trunk }: ConfigSources): Pick<ServerConfig, "trunk" | "callTls"> {
  if (trunk === undefined) return {};
  const { authorities, headEnd, callListener } = trunk;
  const own = ({ keyFile, certificate }: StoredCredential) => ({ keyFile, certificate, authorities });
  return {
    trunk: own(headEnd),
    ...(config.callTlsPort !== undefined && { callTls: { port: config.callTlsPort, ...own(callListener) } }),
  };
}

export function depotConfig(sources: ConfigSources): DepotConfig {
  const { directories } = sources;
  return {
    stateDirectory: directories.depot,
    exchangeDirectory: directories.exchange,
    channel: channelOf(sources, "depot"),
  };
}

export function drillConfig(sources: ConfigSources, drill: string): DrillConfig {
  return {
    drill,
    kind: "break-in",
    exchangeDirectory: sources.directories.exchange,
    channel: channelOf(sources, "headEnd"),
  };
}

export function operatorConfig(sources: ConfigSources): OperatorConfig {
  return {
    channel: channelOf(sources, "operator"),
    exchangeDirectory: sources.directories.exchange,
    adminSocket: adminSocket(sources.directories),
    address: consoleAddress(sources.config),
    ...gateAddress(sources.config),
  };
}

function gateAddress(config: StartConfig): Pick<OperatorConfig, "gate"> {
  const [gate, enrolment] = [workerGateOf(config), enrolmentOf(config)];
  return gate === undefined || enrolment === undefined ? {} : { gate: { ...gate, enrolment } };
}

/** `localhost` by name: passkeys refuse addresses. */
export function consoleAddress({ port }: Pick<StartConfig, "port">): string {
  return `http://localhost:${port}`;
}

/** `localhost` may mean either address; a machine without IPv6 has only the first. */
export function loopbackHosts(): string[] {
  const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));
  return hasIpv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"];
}

function channelOf(
  { directories, credentials }: Pick<ConfigSources, "directories" | "credentials">,
  principal: "headEnd" | "depot" | "operator",
): DepotConfig["channel"] {
  return {
    socketPath: custodianSocket(directories),
    keyFile: credentials[principal].keyFile,
    certificate: credentials[principal].certificate,
    custodianCertificate: credentials.custodian.certificate,
  };
}

function custodianSocket({ sockets }: Directories): string {
  return `${sockets.custodian}/channel.sock`;
}

function adminSocket({ sockets }: Directories): string {
  return `${sockets.headEnd}/admin.sock`;
}

function switchboard({ sockets }: Directories): string {
  return `${sockets.headEnd}/lines.sock`;
}

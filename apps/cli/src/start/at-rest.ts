import { acquireLock, launchEmbedded, resolveStateDirectory } from "@meterkeep/postgres";
import packageJson from "../../package.json" with { type: "json" };
import type { Terminal } from "../terminal.ts";
import { checkoutDirectory } from "./checkout.ts";
import { type DatabaseUrlPair, provisionDatabases } from "./database.ts";
import { type Directories, makeDirectories } from "./directories.ts";
import { type InstallationRecord, openInstallation } from "./installation.ts";
import { resolveOptions, type StartConfig } from "./start-config.ts";
import { chooseUsers, type ProcessUsers } from "./users.ts";

/** The options of `meterkeep start` that say which installation is meant. */
export interface AtRestOptions {
  readonly state?: string | undefined;
  readonly databaseUrl?: string | undefined;
  readonly databaseSuffix?: string | undefined;
  readonly escrowDirectory?: string | undefined;
  readonly utility?: string | undefined;
  readonly island?: string | undefined;
}

/** An installation that does not run, held, with its database server up. */
export interface InstallationAtRest {
  readonly config: StartConfig;
  readonly directories: Directories;
  readonly users: ProcessUsers;
  readonly record: InstallationRecord;
  readonly adminUrl: string;
  /** Lays out the databases where they are missing; connection strings of the custodian's. */
  provision(): Promise<DatabaseUrlPair>;
}

/** Works on an installation while Meterkeep does not run in its state directory. @throws PostgresError where it does */
export async function withInstallationAtRest<T>(
  options: AtRestOptions,
  terminal: Pick<Terminal, "env">,
  work: (installation: InstallationAtRest) => Promise<T>,
): Promise<T> {
  const { state, databaseUrl, databaseSuffix, escrowDirectory, utility, island } = options;
  const config = resolveOptions({ state, databaseUrl, databaseSuffix, escrowDirectory, utility, island }, terminal.env);
  const isRoot = process.getuid?.() === 0;
  const place = resolveStateDirectory({
    checkout: checkoutDirectory(),
    isRoot,
    ...(config.state !== undefined && { requested: config.state }),
  });
  await using closing = new AsyncDisposableStack();
  const lock = acquireLock(`${place.path}/lock`, `the state directory ${place.path}`);
  closing.defer(() => lock.release());
  const users = chooseUsers(config.userIds, isRoot);
  const record = openInstallation(place.path, config, packageJson.version);
  const directories = makeDirectories(place.path, users);
  let adminUrl = config.databaseUrl;
  if (adminUrl === undefined) {
    const server = await launchEmbedded({
      stateDirectory: directories.postgres,
      socketDirectory: directories.sockets.postgres,
      log: () => undefined,
    });
    closing.defer(() => server.stop());
    ({ adminUrl } = server);
  }
  const url = adminUrl;
  // Awaited here: the server is stopped when this function ends.
  return await work({
    config,
    directories,
    users,
    record,
    adminUrl: url,
    provision: async () => (await provisionDatabases(url, directories, users, config)).custodian,
  });
}

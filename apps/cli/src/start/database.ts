import { existsSync, readFileSync } from "node:fs";
import { type EmbeddedPostgres, launchEmbedded, provision, randomPassword } from "@meterkeep/postgres";
import { type Directories, writePrivate } from "./directories.ts";
import type { Launch, Running } from "./keeper.ts";
import type { StartConfig } from "./options.ts";
import type { ProcessUser, ProcessUsers } from "./users.ts";

/** The embedded PostgreSQL under a keeper. */
export interface RunningDatabase extends Running {
  readonly adminUrl: string;
  readonly warnings: readonly string[];
}

/** How the keeper launches the embedded server. */
export function launchDatabase(
  { postgres, sockets }: Pick<Directories, "postgres" | "sockets">,
  log: (text: string) => void,
): Launch<RunningDatabase> {
  return async () => {
    const server = await launchEmbedded({ stateDirectory: postgres, socketDirectory: sockets.postgres, log });
    return {
      pid: server.pid,
      facts: { version: server.version.split("-")[0] ?? server.version, ...server.facts },
      adminUrl: server.adminUrl,
      warnings: server.warnings,
      ended: server.exited.then(describeEnd),
      stop: server.stop,
    };
  };
}

function describeEnd({ status, signal }: Awaited<EmbeddedPostgres["exited"]>): string {
  return signal === null ? `exited with status ${status}` : `was ended by ${signal}`;
}

/** Makes the two databases with their roles, and gives the connection string of each. */
export async function provisionDatabases(
  adminUrl: string,
  { headEnd, custodian }: Directories,
  users: ProcessUsers,
  { databaseSuffix = "" }: Pick<StartConfig, "databaseSuffix">,
): Promise<{ readonly headEnd: string; readonly custodian: string }> {
  const [headEndUrl, custodianUrl] = await provision(adminUrl, [
    {
      database: `meterkeep${databaseSuffix}`,
      role: `meterkeep_headend${databaseSuffix}`,
      password: openPassword(headEnd, users.headEnd),
    },
    {
      database: `meterkeep_custodian${databaseSuffix}`,
      role: `meterkeep_custodian${databaseSuffix}`,
      password: openPassword(custodian, users.custodian),
    },
  ]);
  return { headEnd: headEndUrl!, custodian: custodianUrl! };
}

/** Each role's password is made on first run and lies where only its process can read it. */
function openPassword(directory: string, user: ProcessUser | undefined): string {
  const file = `${directory}/database.password`;
  if (!existsSync(file)) writePrivate(file, randomPassword(), user);
  return readFileSync(file, "utf8");
}

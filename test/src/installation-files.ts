import { readFileSync } from "node:fs";
import type { CustodianConfig, ServerConfig } from "@meterkeep/api/supervisor";

/** The configuration that the supervisor wrote for the custodian; root and the custodian's user can read it. */
export function custodianConfigOf(stateDirectory: string): CustodianConfig {
  return JSON.parse(readFileSync(`${stateDirectory}/custodian/config.json`, "utf8")) as CustodianConfig;
}

/** The configuration that the supervisor wrote for the server. */
export function serverConfigOf(stateDirectory: string): ServerConfig {
  return JSON.parse(readFileSync(`${stateDirectory}/head-end/config.json`, "utf8")) as ServerConfig;
}

/** The name of the database in a connection string. */
export function databaseOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1));
}

/** The same role and password at another database of the server. */
export function atDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  return changed.href;
}

/** The socket by which the owner of the machine speaks with the server. */
export function ownerSocketOf(stateDirectory: string): string {
  const { adminSocket } = JSON.parse(readFileSync(`${stateDirectory}/operator/config.json`, "utf8")) as {
    readonly adminSocket: string;
  };
  return adminSocket;
}

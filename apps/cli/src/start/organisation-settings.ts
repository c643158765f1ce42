import { readFileSync, statSync } from "node:fs";
import type { ServerConfig } from "@meterkeep/api/supervisor";
import { StartError } from "./error.ts";
import type { StartConfig } from "./options.ts";

/** The provider with which people may sign in. Its secret goes along, since the head-end may read no file of ours. */
export function organisationSettings(config: StartConfig): Pick<ServerConfig, "organisation"> {
  const { organisation: issuer, organisationName: name, organisationClient: clientId, organisationSecretFile } = config;
  if (issuer === undefined) return {};
  const provider = { name, issuer, clientId };
  if (organisationSecretFile === undefined) return { organisation: provider };
  if ((statSync(organisationSecretFile).mode & 0o077) !== 0)
    throw new StartError(
      "file-not-private",
      `others can read ${organisationSecretFile}: chmod 600 ${organisationSecretFile}`,
    );
  return { organisation: { ...provider, clientSecret: readFileSync(organisationSecretFile, "utf8").trim() } };
}

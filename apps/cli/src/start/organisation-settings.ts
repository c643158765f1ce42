import type { ServerConfig } from "@meterkeep/api/supervisor";
import { secretText } from "../named-file.ts";
import type { StartConfig } from "./start-config.ts";

/** The provider with which people may sign in. Its secret goes along, since the head-end may read no file of ours. */
export function organisationSettings(config: StartConfig): Pick<ServerConfig, "organisation"> {
  const { organisation: issuer, organisationName: name, organisationClient: clientId, organisationSecretFile } = config;
  if (issuer === undefined) return {};
  const provider = { name, issuer, clientId };
  if (organisationSecretFile === undefined) return { organisation: provider };
  return { organisation: { ...provider, clientSecret: secretText(organisationSecretFile).trim() } };
}

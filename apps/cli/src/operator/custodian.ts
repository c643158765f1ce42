import { readFileSync } from "node:fs";
import { type CustodianClient, custodianClient } from "@meterkeep/api/custodian-channel";
import type { OperatorConfig } from "@meterkeep/api/supervisor";

/** The custodian, on the operator's own channel; to be closed. */
export function operatorClient(channel: OperatorConfig["channel"]): CustodianClient {
  return custodianClient({
    socketPath: channel.socketPath,
    certificate: channel.certificate,
    privateKey: readFileSync(channel.keyFile, "utf8"),
    custodianCertificate: channel.custodianCertificate,
  });
}

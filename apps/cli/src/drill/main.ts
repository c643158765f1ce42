import { readFileSync } from "node:fs";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import { parseSettings } from "@meterkeep/api/settings";
import { CONFIG_VARIABLE, DRILL_CONFIG } from "@meterkeep/api/supervisor";
import { breakIn, type DrillOutput } from "./break-in.ts";
import { simulatedHomes } from "./targets.ts";

process.title = "meterkeep drill";

const file = process.env[CONFIG_VARIABLE];
if (file === undefined) throw new Error(`${CONFIG_VARIABLE} must name the configuration of this drill`);
const config = parseSettings(DRILL_CONFIG, JSON.parse(readFileSync(file, "utf8")));
const { channel } = config;
const custodian = custodianClient({
  socketPath: channel.socketPath,
  certificate: channel.certificate,
  privateKey: readFileSync(channel.keyFile, "utf8"),
  custodianCertificate: channel.custodianCertificate,
});
const write = (output: DrillOutput): void => void process.stdout.write(`${JSON.stringify(output)}\n`);
await breakIn(custodian, await simulatedHomes(config.exchangeDirectory), write);
await custodian.close();

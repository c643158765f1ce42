import { runSupervised } from "@meterkeep/api/supervised";
import { CUSTODIAN_CONFIG } from "@meterkeep/api/supervisor";
import { startCustodian } from "./custodian.ts";

await runSupervised(CUSTODIAN_CONFIG, startCustodian);

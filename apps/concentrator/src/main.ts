import { runSupervised } from "@meterkeep/api/supervised";
import { CONCENTRATOR_CONFIG } from "@meterkeep/api/supervisor";
import { startConcentrators } from "./concentrators.ts";

process.title = "meterkeep concentrator";
void runSupervised(CONCENTRATOR_CONFIG, startConcentrators);

import { runSupervised } from "@meterkeep/api/supervised";
import { DEPOT_CONFIG } from "@meterkeep/api/supervisor";
import { startDepot } from "./depot.ts";

process.title = "meterkeep depot";
void runSupervised(DEPOT_CONFIG, startDepot);

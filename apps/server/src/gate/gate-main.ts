import { runSupervised } from "@meterkeep/api/supervised";
import { GATE_CONFIG } from "@meterkeep/api/supervisor";
import { startGate } from "./gate-process.ts";

process.title = "meterkeep gate";
void runSupervised(GATE_CONFIG, startGate);

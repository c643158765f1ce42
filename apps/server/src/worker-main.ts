import { runSupervised } from "@meterkeep/api/supervised";
import { WORKER_CONFIG } from "@meterkeep/api/supervisor";
import { startWorker } from "./worker.ts";

process.title = "meterkeep worker";
void runSupervised(WORKER_CONFIG, startWorker);

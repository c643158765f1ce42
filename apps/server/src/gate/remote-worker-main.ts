import { runSupervised } from "@meterkeep/api/supervised";
import { REMOTE_WORKER_CONFIG } from "@meterkeep/api/supervisor";
import { startRemoteWorker } from "./remote-worker.ts";

process.title = "meterkeep worker";
void runSupervised(REMOTE_WORKER_CONFIG, startRemoteWorker);

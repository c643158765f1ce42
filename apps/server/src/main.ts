import { runSupervised } from "@meterkeep/api/supervised";
import { SERVER_CONFIG } from "@meterkeep/api/supervisor";
import { startServer } from "./server.ts";

process.title = "meterkeep server";
void runSupervised(SERVER_CONFIG, startServer);

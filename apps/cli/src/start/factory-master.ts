import { existsSync } from "node:fs";
import type { OperatorConfig } from "@meterkeep/api/supervisor";
import { takeMasterFile } from "../keys/master.ts";
import { operatorClient } from "../operator/custodian.ts";

/** Hands the custodian the master that the factory of this machine derives keys from, where it does: before its shipment is offered. */
export async function handOverMaster(exchange: string, channel: OperatorConfig["channel"]): Promise<void> {
  const file = `${exchange}/factory-master.json`;
  if (!existsSync(file)) return;
  const custodian = operatorClient(channel);
  try {
    await takeMasterFile(custodian, file);
  } finally {
    await custodian.close();
  }
}

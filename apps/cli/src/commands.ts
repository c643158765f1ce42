import type { Command } from "commander";
import { registerAdmin } from "./commands/admin.ts";
import { registerApprovals } from "./commands/approvals.ts";
import { registerAssess } from "./commands/assess.ts";
import { registerBackup } from "./commands/backup.ts";
import { registerCbom } from "./commands/cbom.ts";
import { registerCeremony } from "./commands/ceremony.ts";
import { registerCommand } from "./commands/command.ts";
import { registerDecode } from "./commands/decode.ts";
import { registerDispute } from "./commands/dispute.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerDrill } from "./commands/drill.ts";
import { registerExport } from "./commands/export.ts";
import { registerField } from "./commands/field.ts";
import { registerHeadEnds } from "./commands/head-ends.ts";
import { registerHsm } from "./commands/hsm.ts";
import { registerKeys } from "./commands/keys.ts";
import { registerLedger } from "./commands/ledger.ts";
import { registerMeter } from "./commands/meter.ts";
import { registerPki } from "./commands/pki.ts";
import { registerRead } from "./commands/read.ts";
import { registerShipment } from "./commands/shipment.ts";
import { registerStart } from "./commands/start.ts";
import { registerStatus } from "./commands/status.ts";
import { registerToken } from "./commands/token.ts";
import { registerVault } from "./commands/vault.ts";
import { registerWorker } from "./commands/worker.ts";
import type { Terminal } from "./terminal.ts";

/**
 * A command adds itself to the program: its name, options and help at once, what it does behind a dynamic `import`, so
 * that `meterkeep --help` stays fast however many commands there are.
 */
export type RegisterCommand = (program: Command, terminal: Terminal) => void;

/** All commands, in the order in which the help shows them. */
export const COMMANDS: readonly RegisterCommand[] = [
  registerStart,
  registerDoctor,
  registerDecode,
  registerRead,
  registerAssess,
  registerStatus,
  registerDrill,
  registerMeter,
  registerDispute,
  registerExport,
  registerShipment,
  registerKeys,
  registerPki,
  registerApprovals,
  registerCommand,
  registerCeremony,
  registerCbom,
  registerLedger,
  registerBackup,
  registerVault,
  registerField,
  registerHeadEnds,
  registerWorker,
  registerAdmin,
  registerToken,
  registerHsm,
];

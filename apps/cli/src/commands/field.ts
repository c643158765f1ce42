import type { Command } from "commander";
import type { BridgeOptions } from "../field/run.ts";
import type { VisitOptions } from "../field/visit.ts";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep field` and `meterkeep exposure`: technicians, their handhelds, and who could have seen which key. */
export function registerField(program: Command, terminal: Terminal): void {
  const field = program
    .command("field")
    .summary("lend meters to technicians, and visit meters under a lease")
    .description("Lend meters to technicians' handhelds for hours, and visit meters offline under a lease.");
  operatorCommand(field, "enrol", "enrol a handheld by its public keys")
    .argument("<file>", "what `meterkeep field key` wrote beside its private keys")
    .requiredOption("--technician <name>", "whose it is")
    .action(async (file: string, options: OperatorOptions & { technician: string }) => {
      await (await import("../field/run.ts")).enrol(file, options, terminal);
    });
  operatorCommand(field, "lend", "give a handheld the keys of meters for hours")
    .argument("<handheld>", "its name")
    .argument("<meters...>", "system titles")
    .requiredOption("--out <file>", "where the lease goes")
    .option("--hours <number>", "at most 12", "8")
    .option("--operations <list>", "read, set-clock", "read")
    .option("--reason <text>", "why, for the ledger", "today's round")
    .action(async (handheld: string, meters: string[], options) => {
      await (await import("../field/run.ts")).lend(handheld, meters, options, terminal);
    });
  operatorCommand(field, "return", "hand in the journal of a lease, which ends it")
    .argument("<journal>", "the file beside the lease")
    .action(async (file: string, options: OperatorOptions) => {
      await (await import("../field/run.ts")).hand(file, options, terminal);
    });
  operatorCommand(field, "lost", "say that a handheld is lost: its keys are compromised and rotated first")
    .argument("<handheld>", "its name")
    .option("--reason <text>", "why, for the ledger", "reported lost")
    .action(async (handheld: string, options: OperatorOptions & { reason: string }) => {
      await (await import("../field/run.ts")).lose(handheld, options, terminal);
    });
  operatorCommand(field, "status", "say which handhelds and leases there are, and what is still exposed").action(
    async (options: OperatorOptions) => {
      await (await import("../field/run.ts")).status(options, terminal);
    },
  );
  registerHandheld(field, terminal);
  operatorCommand(program, "exposure", "say who could have seen which keys, ever")
    .argument("[meter]", "a system title")
    .option("--person <name>", "a technician, a handheld, a manufacturer: whose name has this in it")
    .action(async (meter: string | undefined, options: OperatorOptions & { person?: string }) => {
      await (await import("../field/run.ts")).exposure(meter, options, terminal);
    });
}

/** What runs on the handheld, without Meterkeep. */
function registerHandheld(field: Command, terminal: Terminal): void {
  field
    .command("key")
    .description("On the handheld: make its keys.")
    .argument("<name>", "what it is called")
    .requiredOption("--out <file>", "where its private keys go; the public ones go beside them")
    .action(async (name: string, options: { out: string }) => {
      await (await import("../field/run.ts")).makeKey(name, options, terminal);
    });
  field
    .command("bridge")
    .description("On the handheld: let the technicians' page in a browser of this device reach a meter.")
    .argument("<address>", "tcp://host:port, or serial:/dev/…")
    .option("--origin <origin>", "where the page is from", "http://localhost:8422")
    .option("--port <number>", "where the page finds the bridge", "8433")
    .option("--link <name>", "wrapper or hdlc, over TCP", "wrapper")
    .option("--optical", "the meter is behind an optical port, which the page opens in mode E of IEC 62056-21")
    .action(async (address: string, options: BridgeOptions) => {
      await (await import("../field/run.ts")).bridge(address, options, terminal);
    });
  for (const operation of ["read", "set-clock"] as const)
    field
      .command(operation)
      .description(`On the handheld: ${operation === "read" ? "read a meter" : "set a meter's clock"} under a lease.`)
      .argument("<meter>", "its system title")
      .argument("<address>", "tcp://host:port, or serial:/dev/…")
      .requiredOption("--lease <file>", "the lease")
      .requiredOption("--key <file>", "the handheld's private keys")
      .option("--link <name>", "wrapper or hdlc, over TCP")
      .option("--optical", "open the port in mode E of IEC 62056-21 first")
      .option("--timeout <seconds>", "how long to wait for each answer", "10")
      .option("--json", "print JSON")
      .action(async (meter: string, address: string, options: VisitOptions) => {
        await (await import("../field/visit.ts")).visit(operation, meter, address, options, terminal);
      });
}

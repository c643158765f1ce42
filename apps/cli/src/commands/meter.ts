import type { Command } from "commander";
import type { KeyOptions } from "../decode/keys.ts";
import type { DepartOptions } from "../departure/run.ts";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep meter`: list meters, look at one, attach a real one. */
export function registerMeter(program: Command, terminal: Terminal): void {
  const meter = program
    .command("meter")
    .summary("list, show and attach meters")
    .description("List, show and attach meters.");
  operatorCommand(meter, "list", "list meters with their trust")
    .option("--kind <kind>", "simulated or real")
    .option("--trust <state>", "held, provisional, trusted, degraded, quarantined, distrusted or retired")
    .action(async (options: OperatorOptions & { kind?: string; trust?: string }) => {
      const { listMeters } = await import("../operator/commands.ts");
      await listMeters(options, terminal);
    });
  operatorCommand(meter, "show", "show one meter: identity, keys without their octets, trust")
    .argument("<system-title>", "16 hex digits")
    .action(async (title: string, options: OperatorOptions) => {
      const { showMeter } = await import("../operator/commands.ts");
      await showMeter(title, options, terminal);
    });
  operatorCommand(meter, "add", "attach a real meter; its keys are sealed here to the custodian")
    .argument("<system-title>", "16 hex digits")
    .option("--label <text>", "what to call it")
    .option("--key-file <file>", "JSON file of keys, by meter or for all")
    .option("--key <hex>", "encryption key; - reads the keys from standard input, one a line")
    .option("--auth-key <hex>", "authentication key, to prove who sent its pushes")
    .option("--source <tcp://host:port>", "a serial gateway behind which it pushes; else the push port is used")
    .option("--layout <id>", "layout of its pushes, where they carry no OBIS codes")
    .action(async (title: string, options: OperatorOptions & KeyOptions) => {
      const { addMeter } = await import("../operator/commands.ts");
      await addMeter(title, options, terminal);
    });
  for (const { name, how, summary } of DEPARTURES) {
    const command = operatorCommand(meter, name, summary)
      .argument("<system-titles...>", "16 hex digits each")
      .requiredOption("--reason <text>", "why, for the ledger and for those who approve");
    if (how !== "retired")
      command
        .requiredOption("--recipient <file>", "recipient.json of the custodian that gets them")
        .requiredOption("--to <name>", "who gets them")
        .requiredOption("--sender <name>", "who sends them on: a part of their taint from then on")
        .requiredOption("--flag <letters>", "the sender's three letters")
        .requiredOption("--output <file>", "the shipment; beside it goes the sender's public keys");
    command.action(async (titles: string[], options: DepartOptions) => {
      const { depart } = await import("../departure/run.ts");
      await depart(how, titles, options, terminal);
    });
  }
}

const DEPARTURES = [
  {
    name: "retire",
    how: "retired",
    summary: "retire meters for good: their keys are used no more, and destroyed in time",
  },
  { name: "transfer", how: "transferred", summary: "give meters to another owner, with their keys sealed to it" },
  { name: "return", how: "returned", summary: "give meters back to their maker, with their keys sealed to it" },
] as const;

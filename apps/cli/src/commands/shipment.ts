import type { Command } from "commander";
import type { OperatorOptions } from "../operator/options.ts";
import type { ConvertOptions } from "../shipment/convert.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep shipment`: bring meters in, from a shipment or from somebody else's list. */
export function registerShipment(program: Command, terminal: Terminal): void {
  const shipment = program
    .command("shipment")
    .summary("bring meters and their keys into custody")
    .description("Brings meters and their keys into custody: from shipment files, or from other people's lists.");
  shipment
    .command("convert")
    .summary("make a shipment of a CSV or a .kem file")
    .description(
      "Makes a shipment of a CSV or a Kamstrup .kem file: sealed to the recipients, signed by whoever converts it. Every line that cannot be taken is named, and nothing is written then.",
    )
    .argument("<file>", "what is to be converted")
    .requiredOption("--from <format>", "csv or kem")
    .requiredOption("--mapping <file>", "which columns mean what (docs/formats/other-files.md)")
    .requiredOption("--recipient <files...>", "recipient.json of each custodian that is to open it")
    .requiredOption("--signing <directory>", "where the signing keys of the sender lie, or are made")
    .requiredOption("--sender <name>", "who vouches for the list")
    .requiredOption("--flag <letters>", "the sender's three letters")
    .requiredOption("--customer <name>", "who gets the meters")
    .option("--kind <kind>", "delivery of new meters, or a fleet in service", "fleet")
    .option("--password-file <file>", "of a .kem file, its password")
    .requiredOption("--output <file>", "the shipment")
    .option("--json", "print JSON")
    .action(async (file: string, options: ConvertOptions) => {
      const { convert } = await import("../shipment/convert.ts");
      await convert(file, options, terminal);
    });
  operatorCommand(shipment, "import", "give a shipment to the running Meterkeep")
    .argument("<file>", "a shipment (.mks)")
    .action(async (file: string, options: OperatorOptions) => {
      const { importShipment } = await import("../shipment/import.ts");
      await importShipment(file, options, terminal);
    });
}

import type { Command } from "commander";
import type { AddOptions, RemoveOptions } from "../head-ends/run.ts";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep head-ends`: who else may have the custodian seal and open for them. */
export function registerHeadEnds(program: Command, terminal: Terminal): void {
  const headEnds = program
    .command("head-ends")
    .summary("enrol head-ends of other vendors at the key service")
    .description("Enrols head-ends of other vendors at the key service (`meterkeep start --key-service`).");
  operatorCommand(headEnds, "add", "enrol a head-end, or change what it may do")
    .argument("<name>", "1 to 48 small letters, digits, dots and hyphens; the ledger has it as head-end:NAME")
    .option("--certificate <file...>", "its certificate, PEM; two while one is renewed")
    .option("--issuer <file>", "instead: the authority whose certificates it may prove, PEM")
    .option("--subject <name>", "with --issuer: their subject, for example CN=hes-1")
    .option("--purposes <list>", "of read, configure and verify, with commas", "read")
    .option("--utility <name>", "the utility of its meters; that of this installation unless given")
    .option("--islands <list>", "with commas; all of the utility unless given")
    .option("--meters <list>", "system titles and ranges TITLE-TITLE, with commas, or @FILE; all unless given")
    .option("--items-per-second <number>", "APDUs and sessions a second")
    .option("--items-burst <number>", "and at once")
    .option("--batch <number>", "items of one request, 1024 at most")
    .option("--sessions <number>", "sessions open at a time")
    .option("--connections <number>", "TLS connections at a time")
    .option("--reason <text>", "why, for the ledger", "asked for by the operator")
    .action(async (name: string, options: AddOptions) => {
      const { addHeadEnd } = await import("../head-ends/run.ts");
      await addHeadEnd(name, options, terminal);
    });
  operatorCommand(headEnds, "remove", "let a head-end ask no more, from its next request on")
    .argument("<name>", "as `meterkeep head-ends list` has it")
    .option("--reason <text>", "why, for the ledger", "asked for by the operator")
    .action(async (name: string, options: RemoveOptions) => {
      const { removeHeadEnd } = await import("../head-ends/run.ts");
      await removeHeadEnd(name, options, terminal);
    });
  operatorCommand(headEnds, "list", "say who is enrolled, and for what").action(async (options: OperatorOptions) => {
    const { listHeadEnds } = await import("../head-ends/run.ts");
    await listHeadEnds(options, terminal);
  });
}

import type { Command } from "commander";
import type { AskOptions, GroupOptions } from "../command/run.ts";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep command`, `meterkeep rules` and `meterkeep blast`: commands to meters, and how far anybody reaches. */
export function registerCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("command")
    .summary("ask for commands to meters; people approve them")
    .description("Ask for commands to meters: the guard judges them, people approve them, campaigns carry them out.");
  operatorCommand(
    command,
    "ask",
    "ask for a command on meters, a feeder, a transformer, a profile, model, firmware or group, or all",
  )
    .argument("<operation>", "disconnect, reconnect, arm, limiter and others")
    .argument("[meters...]", "system titles")
    .requiredOption("--reason <word>", "arrears, move-out, safety, grid, restore, maintenance or test")
    .option("--feeder <id>", "all meters of a feeder")
    .option("--transformer <id>", "all meters of a transformer")
    .option("--profile <name>", "all meters of a profile")
    .option("--model <name>", "all meters of a model")
    .option("--firmware <name>", "all meters that run a firmware")
    .option("--group <name>", "the meters of a group")
    .option("--all", "all meters of the island")
    .option("--work-order <id>", "the billing system's work order")
    .option("--note <text>", "in words, for those who approve")
    .option(
      "--emergency",
      "all at once, without waves; three people approve, and every cap stays; for the grid, without a work order",
    )
    .option("--parameters <json>", "the operation's parameters")
    .option("--dry-run", "say what it would do, and do nothing")
    .option(
      "--look",
      "speak with each meter and change nothing: nobody has to approve, and each says what a run would change",
    )
    .action(async (operation: string, meters: string[], options: AskOptions) => {
      const { ask } = await import("../command/run.ts");
      await ask(operation, meters, options, terminal);
    });
  operatorCommand(command, "show", "show a campaign and what became of its meters, or what one of them said")
    .argument("<id>", "the campaign")
    .argument("[meter]", "the system title of one of its meters")
    .action(async (id: string, meter: string | undefined, options: OperatorOptions) => {
      const { show, showTarget } = await import("../command/run.ts");
      await (meter === undefined ? show(id, options, terminal) : showTarget(id, meter, options, terminal));
    });
  operatorCommand(command, "list", "list campaigns, newest first").action(async (options: OperatorOptions) => {
    const { list } = await import("../command/run.ts");
    await list(options, terminal);
  });
  operatorCommand(command, "groups", "list groups of meters").action(async (options: OperatorOptions) => {
    const { groups } = await import("../command/run.ts");
    await groups(options, terminal);
  });
  operatorCommand(command, "group", "make a group of meters, or say anew who is in it")
    .argument("<name>", "its name")
    .argument("[meters...]", "system titles")
    .option("--note <text>", "what it is for")
    .option("--more", "besides those who are in it already")
    .option("--remove", "forget it")
    .action(async (name: string, meters: string[], options: GroupOptions) => {
      const { group } = await import("../command/run.ts");
      await group(name, meters, options, terminal);
    });
  for (const what of ["pause", "resume", "stop"] as const)
    operatorCommand(command, what, `${what} a campaign`)
      .argument("<id>", "the campaign")
      .requiredOption("--reason <text>", "why")
      .action(async (id: string, options: OperatorOptions & { readonly reason: string }) => {
        const { decide } = await import("../command/run.ts");
        await decide(what, id, options, terminal);
      });
  operatorCommand(command, "policy-service", "say whether the custodian accepts this head-end's tokens").action(
    async (options: OperatorOptions) => {
      const { policyService } = await import("../command/run.ts");
      await policyService(options, terminal);
    },
  );
  operatorCommand(program, "rules", "list the guard's rules: the numbers that hold, and what each refused last").action(
    async (options: OperatorOptions) => {
      const { rules } = await import("../command/run.ts");
      await rules(options, terminal);
    },
  );
  operatorCommand(program, "blast", "say how many meters and kW anybody could switch off under the caps").action(
    async (options: OperatorOptions) => {
      const { blast } = await import("../command/run.ts");
      await blast(options, terminal);
    },
  );
}

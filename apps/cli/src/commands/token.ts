import type { Command } from "commander";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep token`: secrets by which machines use the API. */
export function registerToken(program: Command, terminal: Terminal): void {
  const token = program
    .command("token")
    .summary("tokens for machines that use the API")
    .description("Tokens for machines that use the API.");
  operatorCommand(token, "create", "make a token; it is shown once")
    .argument("<name>", "what it is for")
    .option(
      "--scope <scope>",
      "read, operate (also attach meters, start drills), request (also ask for commands) or admin (also manage tokens)",
      "read",
    )
    .option("--days <number>", "how long it is good", "365")
    .action(async (name: string, options: OperatorOptions & { scope?: string; days?: string }) => {
      const { createToken } = await import("../operator/commands.ts");
      await createToken(name, options, terminal);
    });
  operatorCommand(token, "list", "list tokens, without their secrets").action(async (options: OperatorOptions) => {
    const { listTokens } = await import("../operator/commands.ts");
    await listTokens(options, terminal);
  });
  operatorCommand(token, "withdraw", "make a token worthless")
    .argument("<id>", "the id in `meterkeep token list`")
    .action(async (id: string, options: OperatorOptions) => {
      const { withdrawToken } = await import("../operator/commands.ts");
      await withdrawToken(id, options, terminal);
    });
}

import type { Command } from "commander";
import type { ListDisputesOptions, SettleOptions } from "../dispute/run.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep dispute`: what meters said and is not plausible, and what somebody decides about it. */
export function registerDispute(program: Command, terminal: Terminal): void {
  const dispute = program
    .command("dispute")
    .summary("list and settle what meters said and is in dispute")
    .description("List what meters said and is in dispute, and accept or reject it.");
  operatorCommand(dispute, "list", "list findings that dispute what a meter said, the newest first")
    .option("--meter <system-title>", "of one meter")
    .option("--rule <id>", "of one rule, such as P-8")
    .option("--all", "also what somebody has settled")
    .action(async (options: ListDisputesOptions) => {
      const { listDisputes } = await import("../dispute/run.ts");
      await listDisputes(options, terminal);
    });
  for (const [verdict, words] of [
    ["accept", "let decisions use what meters said in a time, although it is in dispute"],
    ["reject", "let decisions use nothing of what meters said in a time and is in dispute"],
  ] as const)
    operatorCommand(dispute, verdict, words)
      .argument("<system-titles...>", "16 hex digits each")
      .requiredOption("--from <time>", "behind this time, RFC 3339")
      .requiredOption("--to <time>", "up to this time, RFC 3339")
      .requiredOption("--reason <text>", "why, for the ledger")
      .option("--rule <id>", "only what findings of this rule dispute, such as P-8")
      .option("--dry-run", "say what it would change, and change nothing")
      .option("--digest <text>", "of the dry run that was looked at: what has changed since is refused")
      .action(async (titles: string[], options: SettleOptions) => {
        const { settle } = await import("../dispute/run.ts");
        await settle(`${verdict}ed`, titles, options, terminal);
      });
}

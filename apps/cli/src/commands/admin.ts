import type { Command } from "commander";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep admin`: what the owner of the machine may do about people. */
export function registerAdmin(program: Command, terminal: Terminal): void {
  const admin = program
    .command("admin")
    .summary("replace a lost login")
    .description("What the owner of this machine may do about people.");
  operatorCommand(admin, "recover", "print a new sign-in link; the administrator's sessions end, passkeys are deleted")
    .option("--yes", "do not ask first; needed where nobody is at a terminal")
    .action(async (options: OperatorOptions & { yes?: boolean }) => {
      const { recoverAdmin } = await import("../operator/commands.ts");
      await recoverAdmin(options, terminal);
    });
}

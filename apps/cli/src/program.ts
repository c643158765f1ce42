import { Command, CommanderError } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { COMMANDS, type RegisterCommand } from "./commands.ts";
import { CliError, EXIT } from "./error.ts";
import { adviceOn } from "./line-advice.ts";
import { type Terminal, write } from "./terminal.ts";

/** The program `meterkeep` with the given commands; everything it prints goes to the terminal it was given. */
export function createProgram(terminal: Terminal, commands: readonly RegisterCommand[] = COMMANDS): Command {
  const program = new Command("meterkeep")
    .description("An open trust platform for smart metering over DLMS/COSEM")
    .version(packageJson.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .showHelpAfterError("(run it with --help for its options)")
    .showSuggestionAfterError(true);
  program.exitOverride();
  program.configureOutput({
    writeOut: (text) => terminal.stdout.write(text),
    writeErr: (text) => terminal.stderr.write(text),
  });
  for (const register of commands) register(program, terminal);
  return program;
}

/**
 * Runs one command line (without the program's own name) and gives the exit status: 0 done, 1 refused or failed,
 * 2 called wrongly.
 */
export async function run(terminal: Terminal, args: readonly string[]): Promise<number> {
  const program = createProgram(terminal);
  try {
    if (args.length === 0) {
      program.outputHelp();
      return EXIT.usage;
    }
    await program.parseAsync([...args], { from: "user" });
    return terminal.exitStatus;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof CliError) {
      await write(terminal.stderr, `meterkeep: ${error.message} [${error.code}]\n`);
      return error.exitStatus;
    }
    await write(terminal.stderr, `meterkeep: ${describe(error, terminal.env["METERKEEP_DEBUG"] !== undefined)}\n`);
    return EXIT.refused;
  }
}

/** Errors of our packages carry a code and speak for themselves; anything else is a defect, and its stack is wanted. */
function describe(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string" && !debug) return `${error.message}${adviceOn(code)} [${code}]`;
  return error.stack ?? error.message;
}

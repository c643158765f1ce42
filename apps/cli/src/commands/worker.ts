import type { Command } from "commander";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import type { EnrolOptions } from "../workers/enrol.ts";
import type { JoinOptions } from "../workers/join.ts";
import type { StartWorkerOptions } from "../workers/start.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep worker`: workers on other machines. */
export function registerWorker(program: Command, terminal: Terminal): void {
  const worker = program
    .command("worker")
    .summary("hold sessions with meters on other machines")
    .description(
      "Lets other machines hold sessions with meters (`meterkeep start --worker-gate`), and makes this one such.",
    );
  operatorCommand(worker, "enrol", "let another machine in as a worker: write the ticket that it joins with")
    .argument("<name>", "1 to 48 small letters, digits, dots and hyphens; the ledger has it as worker:NAME")
    .argument("<file>", "where the ticket goes; it is good once")
    .option("--host <name>", "by which name or address the other machine reaches the gate")
    .option("--hours <hours>", "how long the ticket is good for", "24")
    .action(async (name: string, file: string, options: EnrolOptions) => {
      await (await import("../workers/enrol.ts")).enrolWorker(name, file, options, terminal);
    });
  operatorCommand(worker, "remove", "cut a worker off at once, for good")
    .argument("<name>", "as it was enrolled")
    .action(async (name: string, options: OperatorOptions) => {
      await (await import("../workers/enrol.ts")).removeWorker(name, options, terminal);
    });
  own(worker, "join", "make this machine a worker: make its key, and have it certified")
    .argument("<ticket>", "the file that `meterkeep worker enrol` wrote")
    .action(async (ticket: string, options: JoinOptions) => {
      await (await import("../workers/join.ts")).joinWorker(ticket, options, terminal);
    });
  own(worker, "start", "hold sessions with meters on this machine, until Ctrl-C")
    .option("--sessions <number>", "how many at once")
    .action(async (options: StartWorkerOptions) => {
      await (await import("../workers/start.ts")).startWorker(options, terminal);
    });
}

/** A command on the worker's own machine. */
function own(parent: Command, name: string, summary: string): Command {
  return parent
    .command(name)
    .summary(summary)
    .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
    .requiredOption("--state <directory>", "where this worker keeps its key, and nothing else")
    .option(
      "--user-ids <number>",
      "as `meterkeep start` has it: started as root, the worker runs as the seventh of them",
    )
    .option("--json", "print JSON");
}

import type { Command } from "commander";
import type { BeginOptions, FinishOptions } from "../ceremony/run.ts";
import type { Terminal } from "../terminal.ts";

/** `meterkeep ceremony`: a secret that no one person has. */
export function registerCeremony(program: Command, terminal: Terminal): void {
  const ceremony = program
    .command("ceremony")
    .summary("split a root key or passphrase among people, and prove every share")
    .description(
      "Splits a secret (the file of a root key, of its passphrase, or of a recovery key) so that M of N people have it together, and proves every share before anything old dies. It needs no running Meterkeep.",
    );
  const step = (name: string, summary: string): Command =>
    ceremony
      .command(name)
      .summary(summary)
      .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
      .requiredOption("--folder <directory>", "where the ceremony is kept until it is over");
  step("begin", "split a secret")
    .argument("<file>", "the secret")
    .requiredOption("--purpose <text>", "what it is, for the transcript and for each share")
    .requiredOption("--shares <n>", "how many people have a share")
    .requiredOption("--threshold <m>", "how many of them it takes")
    .action(async (file: string, options: BeginOptions) => {
      const { beginCeremony } = await import("../ceremony/run.ts");
      await beginCeremony(file, options, terminal);
    });
  step("share", "give a person a share")
    .argument("<index>", "which, from 1")
    .requiredOption("--to <file>", "where it goes: a medium of that person's own")
    .requiredOption("--person <name>", "who takes it, for the transcript")
    .action(async (index: string, options: { folder: string; to: string; person: string }) => {
      const { handOut } = await import("../ceremony/run.ts");
      await handOut(index, options, terminal);
    });
  step("verify", "bring shares back and prove them: each once, and enough of them together")
    .argument("<files...>", "shares, as they were handed out")
    .action(async (files: string[], options: { folder: string }) => {
      const { verifyShares } = await import("../ceremony/run.ts");
      await verifyShares(files, options, terminal);
    });
  step("finish", "end the ceremony and write its transcript")
    .option("--record", "plan the transcript as a change, so that those present sign it into the ledger")
    .option("--requester <name>", "who asks, with --record", "operator")
    .option("--state <directory>", "the state directory of the Meterkeep that is meant [env: METERKEEP_STATE]")
    .action(async (options: FinishOptions) => {
      const { finishCeremony } = await import("../ceremony/run.ts");
      await finishCeremony(options, terminal);
    });
  step("abort", "give the ceremony up").action(async (options: { folder: string }) => {
    const { abortCeremony } = await import("../ceremony/run.ts");
    await abortCeremony(options, terminal);
  });
  step("restore", "put the secret together again")
    .argument("<files...>", "enough shares")
    .requiredOption("--to <file>", "where the secret goes")
    .action(async (files: string[], options: { folder: string; to: string }) => {
      const { restoreSecret } = await import("../ceremony/run.ts");
      await restoreSecret(files, options, terminal);
    });
}

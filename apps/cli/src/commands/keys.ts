import type { Command } from "commander";
import type { EnrolmentPolicyOptions, EnrolOptions } from "../keys/certificates.ts";
import type { ChildOptions } from "../keys/child.ts";
import type { MasterStateOptions } from "../keys/master.ts";
import type { HygieneOptions, PolicyOptions, RotateOptions, StatusOptions } from "../keys/run.ts";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep keys`: the life of meters' keys, as the operator of the custodian. */
export function registerKeys(program: Command, terminal: Terminal): void {
  const keys = program
    .command("keys")
    .summary("rotate keys of meters, and see who is due")
    .description("Rotates keys of meters and says how they are. No key is ever shown.");
  operatorCommand(keys, "rotate", "plan new keys for meters")
    .argument("[meters...]", "system titles")
    .option("--all", "every meter that has been taken over")
    .option("--older-than <days>", "every meter with an active key older than that")
    .option(
      "--grade <grade>",
      "exposed: every meter whose takeover those who held its factory keys could have read, and that can agree on keys",
    )
    .option(
      "--dry-run",
      "with --grade: say how many they are, whose keys they had, and what the others need; plan nothing",
    )
    .option(
      "--purposes <list>",
      "of GUEK, GBEK, GAK and KEK, with commas; all of them unless given, for a compromise all but KEK",
    )
    .option("--cause <cause>", "demand (unless given), exposure or compromise: what is riskier goes first")
    .option("--reason <text>", "why, for the ledger", "asked for by the operator")
    .action(async (meters: string[], options: RotateOptions) => {
      const { rotate } = await import("../keys/run.ts");
      await rotate(meters, options, terminal);
    });
  operatorCommand(keys, "status", "say who is due, in progress, unknown, unproven")
    .argument("[meters...]", "system titles; those with an open rotation unless given")
    .option("--unknown", "those that are not known to hold old or new keys")
    .option("--failed", "those that would not change their keys")
    .option("--every", "every rotation, those that are over as well")
    .action(async (meters: string[], options: StatusOptions) => {
      const { status } = await import("../keys/run.ts");
      await status(meters, options, terminal);
    });
  operatorCommand(keys, "policy", "show when keys are rotated by themselves, or change it")
    .option("--crypto-period <days>", "how old a key may be: 730 at first, 1826 at most")
    .option("--count-limit <counters>", "how many invocation counters may be used under one unicast key")
    .option("--per-hour <number>", "how many rotations may begin in an hour")
    .option("--retain <days>", "how long keys that have gone are kept before they are destroyed")
    .action(async (options: PolicyOptions) => {
      const { policy } = await import("../keys/run.ts");
      await policy(options, terminal);
    });
  operatorCommand(
    keys,
    "child",
    "take in the default key of a device at a meter's M-Bus channel, and give it a key of its own",
  )
    .argument("<meter>", "the system title of the meter")
    .requiredOption("--channel <number>", "1 to 8")
    .requiredOption(
      "--default-key <file>",
      "a file with the 32 hex digits that came with the device, for your eyes alone",
    )
    .action(async (meter: string, options: ChildOptions) => {
      const { child } = await import("../keys/child.ts");
      await child(meter, options, terminal);
    });
  operatorCommand(keys, "master", "take in the master that a manufacturer derives factory keys from")
    .argument("<file>", "its factory-master.json")
    .action(async (file: string, options: OperatorOptions) => {
      const { master } = await import("../keys/master.ts");
      await master(file, options, terminal);
    });
  operatorCommand(keys, "masters", "list the masters that were taken in, each with its state").action(
    async (options: OperatorOptions) => {
      const { masters } = await import("../keys/master.ts");
      await masters(options, terminal);
    },
  );
  operatorCommand(keys, "master-state", "suspend, resume, deactivate, compromise or destroy a master")
    .argument("<command>", "suspend, resume, deactivate, compromise or destroy; the last takes two people")
    .argument("<master>", "32 hex digits")
    .requiredOption("--reason <text>", "why, for the ledger")
    .option("--manufacturer <name>", "whose, where two manufacturers have one of that name")
    .action(async (command: string, master: string, options: MasterStateOptions) => {
      const { masterState } = await import("../keys/master.ts");
      await masterState(command, master, options, terminal);
    });
  operatorCommand(keys, "certificates", "say which certificates meters hold, and how their enrolment stands")
    .argument("[meters...]", "system titles; all that can hold certificates unless given")
    .action(async (meters: string[], options: OperatorOptions) => {
      const { certificates } = await import("../keys/certificates.ts");
      await certificates(meters, options, terminal);
    });
  operatorCommand(keys, "enrol", "plan new key pairs and certificates for meters")
    .argument("[meters...]", "system titles")
    .option("--all", "every meter that can hold certificates and has been taken over")
    .option("--cause <cause>", "demand, renewal, authorities (put these on it anew) or compromise", "demand")
    .option("--reason <text>", "why, for the ledger", "asked for by the operator")
    .action(async (meters: string[], options: EnrolOptions) => {
      const { enrol } = await import("../keys/certificates.ts");
      await enrol(meters, options, terminal);
    });
  operatorCommand(keys, "enrolment-policy", "show when certificates are renewed by themselves, or change it")
    .option(
      "--renew-after <days>",
      "how long key pairs are used although their certificates have no end: 3650 at first",
    )
    .option("--renew-before <days>", "how long before the end of a certificate: 730 at first")
    .option(
      "--per-day <number>",
      "how many enrolments may begin in a day: 50000 at first; 0 stops all that is not urgent",
    )
    .action(async (options: EnrolmentPolicyOptions) => {
      const { enrolmentPolicy } = await import("../keys/certificates.ts");
      await enrolmentPolicy(options, terminal);
    });
  for (const [name, summary] of STATE_COMMANDS)
    operatorCommand(keys, name, summary)
      .argument("<meter>", "a system title")
      .argument("<purpose>", "GUEK, GBEK, GAK, KEK, LLS or HLS")
      .argument("<version>", "as in `meterkeep meter show`")
      .option("--client <number>", "whose secret it is, of LLS and HLS")
      .option("--setup <number>", "the further security setup whose key it is, where a meter has several")
      .requiredOption("--reason <text>", "why, for the ledger")
      .action(
        async (
          meter: string,
          purpose: string,
          version: string,
          options: OperatorOptions & { reason: string; client?: string; setup?: string },
        ) => {
          const { changeState } = await import("../keys/run.ts");
          await changeState(name, { meter, purpose, version }, options, terminal);
        },
      );
  operatorCommand(keys, "hygiene", "name keys that are weaker than they look").action(
    async (options: HygieneOptions) => {
      const { hygiene } = await import("../keys/run.ts");
      await hygiene(options, terminal);
    },
  );
}

const STATE_COMMANDS = [
  ["suspend", "use a key no more until it is resumed"],
  ["resume", "use a suspended key again"],
  ["compromise", "hold a key for known to strangers, and plan its successor"],
  ["destroy", "overwrite a key that has gone and has a proven successor"],
] as const;

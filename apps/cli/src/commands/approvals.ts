import type { Command } from "commander";
import type {
  BreakGlassOptions,
  EnrolOptions,
  InviteOptions,
  MakeOptions,
  ReasonOptions,
  ReplaceOptions,
  SignOptions,
} from "../approvals/options.ts";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep approvers`, `approve`, `manifest`, `change`, `kill-switch`, `clock`, `break-glass`: what people agree to. */
export function registerApprovals(program: Command, terminal: Terminal): void {
  registerApprovers(program, terminal);
  signing(operatorCommand(program, "approve", "approve a manifest or a change with a user key"))
    .argument("<hash>", "of what you approve, as it is shown to you")
    .action(async (hash: string, options: SignOptions) => {
      const { approve } = await import("../approvals/approve.ts");
      await approve(hash, options, terminal);
    });
  registerManifests(program, terminal);
  const changes = program
    .command("change")
    .summary("plan changes of the custodian's own rules")
    .description("Plan changes of the custodian's own rules, which others approve.");
  operatorCommand(changes, "plan", "plan a change, to be approved by others")
    .argument("<kind>", "what is to be changed: loosen-thresholds, remove-approver, export-keys and others")
    .argument("<facts>", "the facts of the change, as JSON")
    .option("--requester <name>", "who asks; never one who approves", "operator")
    .option("--reason <text>", "why", "")
    .action(async (kind: string, facts: string, options: ReasonOptions) => {
      const { planChange } = await import("../approvals/changes.ts");
      await planChange(kind, facts, options, terminal);
    });
  operatorCommand(changes, "list", "show changes and who has approved them").action(
    async (options: OperatorOptions) => {
      const { listChanges } = await import("../approvals/changes.ts");
      await listChanges(options, terminal);
    },
  );
  const killSwitch = program
    .command("kill-switch")
    .summary("freeze everything critical, at once")
    .description("Freeze everything critical, at once and alone; two people thaw it.");
  operatorCommand(killSwitch, "on", "freeze every critical command, whatever token it comes with")
    .option("--reason <text>", "why, for the ledger", "asked for by the operator")
    .action(async (options: ReasonOptions) => {
      const { freeze } = await import("../approvals/kill-switch.ts");
      await freeze(options, terminal);
    });
  operatorCommand(killSwitch, "thaw", "plan the end of the freeze; two people approve it")
    .option("--requester <name>", "who asks; never one who approves", "operator")
    .option("--reason <text>", "why", "")
    .action(async (options: ReasonOptions) => {
      const { thaw } = await import("../approvals/kill-switch.ts");
      await thaw(options, terminal);
    });
  const clock = program
    .command("clock")
    .summary("the custodian's clock, after a long stop")
    .description(
      "Have the custodian's clock believed after a long stop: until then it seals nothing that switches off.",
    );
  operatorCommand(clock, "trust", "plan that the clock of a start is believed; two people approve it")
    .option("--requester <name>", "who asks; never one who approves", "operator")
    .option("--reason <text>", "why: for how long nobody ran, and what the clock was compared with", "")
    .action(async (options: ReasonOptions) => {
      const { trustClock } = await import("../approvals/kill-switch.ts");
      await trustClock(options, terminal);
    });
  operatorCommand(program, "break-glass", "plan that the caps are lifted for a while; three people approve it")
    .requiredOption("--minutes <number>", "how long, 240 at most")
    .requiredOption("--reason <text>", "why, for everybody to see")
    .option("--requester <name>", "who asks; never one who approves", "operator")
    .action(async (options: BreakGlassOptions) => {
      const { breakGlass } = await import("../approvals/kill-switch.ts");
      await breakGlass(options, terminal);
    });
}

function registerApprovers(program: Command, terminal: Terminal): void {
  const approvers = program
    .command("approvers")
    .summary("who may approve, and what is frozen")
    .description("Show who may approve and what is frozen, and enrol, replace and suspend approvers.");
  operatorCommand(approvers, "list", "show who may approve, what is frozen and how much of the caps is used").action(
    async (options: OperatorOptions) => {
      const { listApprovers } = await import("../approvals/approvers.ts");
      await listApprovers(options, terminal);
    },
  );
  operatorCommand(approvers, "invite", "invite somebody to make a passkey on the custodian's own page")
    .argument("<id>", "a short name for signatures: lower-case letters, digits, dots, dashes")
    .requiredOption("--name <name>", "the person")
    .requiredOption("--roles <list>", "roles, with commas: two who approve together have different ones")
    .action(async (id: string, options: InviteOptions) => {
      const { invite } = await import("../approvals/approvers.ts");
      await invite(id, options, terminal);
    });
  withKey(operatorCommand(approvers, "replace", "put another key of the same person in the place of one that is lost"))
    .argument("<lost-id>", "the id of the lost key")
    .requiredOption("--id <id>", "the id of the new one: never the same")
    .action(async (lost: string, options: ReplaceOptions) => {
      const { replace } = await import("../approvals/approvers.ts");
      await replace(lost, options, terminal);
    });
  operatorCommand(approvers, "suspend", "count nothing of somebody's from now on; two people reinstate them")
    .argument("<id>", "whose")
    .option("--reason <text>", "why, for the ledger", "asked for by the operator")
    .action(async (id: string, options: ReasonOptions) => {
      const { suspend } = await import("../approvals/approvers.ts");
      await suspend(id, options, terminal);
    });
  withKey(operatorCommand(approvers, "enrol", "let somebody approve with a user key"))
    .argument("<id>", "a short name for signatures: lower-case letters, digits, dots, dashes")
    .requiredOption("--name <name>", "the person")
    .requiredOption("--roles <list>", "roles, with commas")
    .action(async (id: string, options: EnrolOptions) => {
      const { enrol } = await import("../approvals/approvers.ts");
      await enrol(id, options, terminal);
    });
}

function registerManifests(program: Command, terminal: Terminal): void {
  const manifests = program
    .command("manifest")
    .summary("what is to be done on meters, for people to approve")
    .description("Show and make manifests: what is to be done on which meters, as people approve it.");
  operatorCommand(manifests, "list", "show manifests and who has approved them").action(
    async (options: OperatorOptions) => {
      const { listManifests } = await import("../approvals/manifests.ts");
      await listManifests(options, terminal);
    },
  );
  operatorCommand(manifests, "show", "show a manifest as the custodian holds it")
    .argument("<hash>", "its SHA-384")
    .action(async (hash: string, options: OperatorOptions) => {
      const { showManifest } = await import("../approvals/manifests.ts");
      await showManifest(hash, options, terminal);
    });
  operatorCommand(manifests, "submit", "hand a manifest file to the custodian")
    .argument("<file>", "as `meterkeep manifest make` writes it")
    .action(async (file: string, options: OperatorOptions) => {
      const { submitManifest } = await import("../approvals/manifests.ts");
      await submitManifest(file, options, terminal);
    });
  manifests
    .command("make")
    .summary("write a manifest")
    .description("Writes a manifest to standard output: the operation, the meters, the window.")
    .argument("<operation>", 'JSON, for example {"kind":"disconnect","instance":"000060030aff"}')
    .argument("<meters...>", "system titles")
    .requiredOption("--requester <name>", "who asks; never one who approves")
    .requiredOption("--reason <text>", "why")
    .requiredOption("--utility <name>", "whose meters they are")
    .requiredOption("--island <name>", "where they are")
    .option("--work-order <id>", "the work order behind it", "")
    .option("--hours <number>", "how long it may be done, from now on", "4")
    .option("--load <watts>", "what each meter draws, in watts", "0")
    .action(async (operation: string, meters: string[], options: MakeOptions) => {
      const { makeManifest } = await import("../approvals/manifests.ts");
      await makeManifest(operation, meters, options, terminal);
    });
}

function withKey(command: Command): Command {
  return command
    .option("--key <file>", "an EC private key on P-256 or P-384, PEM")
    .option("--pkcs11 <library>", "the PKCS#11 library of a token, instead of a file")
    .option("--token <label>", "the token's label")
    .option("--key-label <label>", "the key's label in the token")
    .option("--pin-file <file>", "the token's PIN");
}

function signing(command: Command): Command {
  return withKey(command).requiredOption("--as <id>", "who you are, as you were enrolled");
}

import type { CustodianSummary, Warning } from "@meterkeep/api";
import type { ServerConfig } from "@meterkeep/api/supervisor";

/** Said once a copy is kept: until then the warning stays, start after start. */
const NOTE_COPY = "Then say so: `npx meterkeep vault copied --where PLACE`.";

/** What a root key of which nobody has said that a copy is kept is, by its kind, and how it is not lost. */
const UNCOPIED_ROOT_KEY = {
  file: {
    text: "Nobody has said that a copy of the vault's root key is kept: it lies in a file that only the custodian can read.",
    fix: `Back up custodian/root.key of the state directory (./var unless --state says otherwise) apart from this machine. ${NOTE_COPY} For a passphrase in its place, stop Meterkeep and \`npx meterkeep vault rewrap --to-passphrase-file FILE --reason …\`.`,
  },
  passphrase: {
    text: "Nobody has said that the passphrase is kept in a second place, from which the vault's root key follows.",
    fix: `Keep the passphrase in two places: without it nobody opens the vault again, and there is no other way in. ${NOTE_COPY} For a root key in a file in its place, stop Meterkeep and \`npx meterkeep vault rewrap --to-root-key --passphrase-file FILE --reason …\`.`,
  },
  tokens: {
    text: "Nobody has said that a second token is kept apart: the vault's root key is inside the tokens, which nobody can take out.",
    fix: `Have a second token in --tokens-file and keep one apart from this machine: each opens the vault alone, and without any nobody does. ${NOTE_COPY}`,
  },
} as const satisfies Record<NonNullable<CustodianSummary["rootKey"]>, Pick<Warning, "text" | "fix">>;

/** What the page must warn of: what the supervisor found, and what shows while it runs. */
export function currentWarnings(
  config: Pick<ServerConfig, "warnings" | "pushHost">,
  custodian: CustodianSummary,
): readonly Warning[] {
  const found: Warning[] = [...config.warnings];
  const has = (code: string): boolean => found.some((warning) => warning.code === code);
  if (!custodian.reachable)
    found.push({
      code: "custodian-unreachable",
      text: "The custodian does not answer: nothing new is read or taken over, and no push is believed.",
      fix: "It is started again by itself; if not, look into var/log/custodian.log.",
    });
  if (custodian.rootKeyCopied === false)
    found.push({ code: "root-key-uncopied", ...UNCOPIED_ROOT_KEY[custodian.rootKey ?? "file"] });
  if (custodian.separateUser === false && !has("shared-user"))
    found.push({
      code: "shared-user",
      text: "The custodian runs under the same operating-system user as everything else: a break-in into one reaches the other.",
      fix: "Start as root: each process then gets a user of its own.",
    });
  if (custodian.killSwitch === true)
    found.push({
      code: "kill-switch-on",
      text: "The custodian's kill switch is on: every critical command is frozen.",
      fix: "Two people release it.",
    });
  if (custodian.founding === true)
    found.push({
      code: "nobody-approves",
      text: "Nobody is enrolled to approve: whoever operates this machine changes the keys of the whole fleet alone, and nothing that switches off can be approved.",
      fix: "Enrol two people with different roles, each with `npx meterkeep approvers invite ID --name NAME --roles ROLES`.",
    });
  if (custodian.capsLifted !== undefined)
    found.push({
      code: "caps-lifted",
      text: `Break-glass: the custodian's caps on commands that can switch off are lifted until ${custodian.capsLifted.until}: ${custodian.capsLifted.reason}`,
      fix: "It ends by itself. `npx meterkeep kill-switch on` freezes everything critical at once.",
    });
  const { ledgerTrouble } = custodian;
  if (ledgerTrouble !== undefined)
    found.push({
      code: ledgerTrouble.code,
      text: `The custodian's ledger: ${ledgerTrouble.message}`,
      fix: "`npx meterkeep ledger state` shows its witnesses; the key administrator's guide says what to do about each.",
    });
  if (!isLoopback(config.pushHost))
    found.push({
      code: "push-port-open",
      text: `The push port listens on ${config.pushHost}, beyond this machine. It takes data only that the custodian can open.`,
      fix: "Start without --listen to close it.",
    });
  return found;
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

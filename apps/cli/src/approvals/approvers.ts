import { CliError } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { type Terminal, write } from "../terminal.ts";
import type { EnrolOptions, InviteOptions, ReasonOptions, ReplaceOptions } from "./options.ts";
import { authorityText } from "./print.ts";
import { openUserKey, signedStatement } from "./user-key.ts";

/** `meterkeep approvers list` */
export async function listApprovers({ state, json }: OperatorOptions, terminal: Terminal): Promise<void> {
  const { authority, changes } = await asOperator(state, terminal, async (custodian) => ({
    authority: await custodian.authorityState({}),
    ...(await custodian.changes({ limit: 50 })),
  }));
  const shown = { ...authority, approvers: authority.approvers.map(({ credentialId: _, ...rest }) => rest) };
  await write(terminal.stdout, json === true ? `${JSON.stringify(shown)}\n` : authorityText(authority, changes));
}

/** `meterkeep approvers invite` */
export async function invite(id: string, options: InviteOptions, terminal: Terminal): Promise<void> {
  const { name, roles, state, json } = options;
  const invited = await asOperator(state, terminal, (custodian) =>
    custodian.inviteApprover({ id, name, roles: rolesIn(roles) }),
  );
  const text = `${name} makes a passkey here, once, within a quarter of an hour, on this machine:\n${invited.link}\n`;
  await write(terminal.stdout, json === true ? `${JSON.stringify(invited)}\n` : text);
}

/** `meterkeep approvers replace`: another key of the same person, with the same rights, once two others have agreed. */
export async function replace(lost: string, options: ReplaceOptions, terminal: Terminal): Promise<void> {
  const { id, state, json } = options;
  const hasKey = options.key !== undefined || options.pkcs11 !== undefined;
  await using key = hasKey ? await openUserKey(options, terminal) : undefined;
  const outcome = await asOperator(state, terminal, async (custodian) => {
    const { approvers } = await custodian.authorityState({});
    const known = approvers.find((one) => one.id === lost);
    if (known === undefined) throw new CliError("option-invalid", `no approver has the id ${lost}`);
    const candidate = { id, name: known.name, roles: known.roles, replaces: lost };
    if (key === undefined) return { ...(await custodian.inviteApprover(candidate)), name: known.name };
    const { statement } = await custodian.statement({ decision: "enrol", hash: "", approver: id });
    const approval = await signedStatement(key, statement);
    return custodian.enrolApprover({ ...candidate, publicKey: key.publicKey, approval });
  });
  const text =
    "link" in outcome
      ? `${outcome.name} makes a passkey here, once, within a quarter of an hour, on this machine:\n${outcome.link}\nThen two others who may approve sign it on the same page.\n`
      : `Planned: two others who may approve agree to it with\n  npx meterkeep approve ${outcome.change}\n`;
  await write(terminal.stdout, json === true ? `${JSON.stringify(outcome)}\n` : text);
}

/** `meterkeep approvers suspend` */
export async function suspend(
  id: string,
  { state, json, reason = "" }: ReasonOptions,
  terminal: Terminal,
): Promise<void> {
  await asOperator(state, terminal, (custodian) => custodian.suspendApprover({ approver: id, reason }));
  const text = `Nothing of ${id} counts from now on. To reinstate: npx meterkeep change plan reinstate-approver '{"approver":"${id}"}'\n`;
  await write(terminal.stdout, json === true ? `${JSON.stringify({ suspended: id })}\n` : text);
}

/** `meterkeep approvers enrol` */
export async function enrol(id: string, options: EnrolOptions, terminal: Terminal): Promise<void> {
  const { name, roles, state, json } = options;
  await using key = await openUserKey(options, terminal);
  const outcome = await asOperator(state, terminal, async (custodian) => {
    const { statement } = await custodian.statement({ decision: "enrol", hash: "", approver: id });
    const approval = await signedStatement(key, statement);
    return custodian.enrolApprover({ id, name, roles: rolesIn(roles), publicKey: key.publicKey, approval });
  });
  const text = outcome.enrolled
    ? `${name} can approve from now on.\n`
    : `Planned: two who may approve agree to it with\n  npx meterkeep approve ${outcome.change}\n`;
  await write(terminal.stdout, json === true ? `${JSON.stringify(outcome)}\n` : text);
}

function rolesIn(list: string): string[] {
  return list.split(",").map((role) => role.trim());
}

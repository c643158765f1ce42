import { type ChangeStateView, CustodianCallError } from "@meterkeep/api/custodian";
import type { CustodianClient } from "@meterkeep/api/custodian-channel";
import { CliError, EXIT } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { type Terminal, write } from "../terminal.ts";
import type { SignOptions } from "./options.ts";
import { changeText, manifestText } from "./print.ts";
import { openUserKey, signedStatement } from "./user-key.ts";

/** `meterkeep approve`: shows what it is, as the custodian holds it, and signs it. */
export async function approve(hash: string, options: SignOptions, terminal: Terminal): Promise<void> {
  await using key = await openUserKey(options, terminal);
  const outcome = await asOperator(options.state, terminal, async (custodian) => {
    await write(terminal.stderr, `You approve:\n${await described(custodian, hash)}`);
    const { statement } = await custodian.statement({ decision: "approve", hash, approver: options.as });
    return custodian.approve({ approval: await signedStatement(key, statement) });
  });
  const text = outcome.executed
    ? "Approved, and done.\n"
    : outcome.missing === undefined
      ? "Approved.\n"
      : `Approved; ${outcome.missing}.\n`;
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(outcome)}\n` : text);
}

/** What a hash stands for, as the custodian holds it. @throws CliError `custodian-refused` where it holds nothing of that hash */
export async function described(
  custodian: Pick<CustodianClient, "changes" | "manifest">,
  hash: string,
): Promise<string> {
  const { changes } = await custodian.changes({ limit: 100 });
  const change = changes.find((one: ChangeStateView) => one.hash === hash);
  if (change !== undefined) return changeText(change);
  try {
    return manifestText(await custodian.manifest({ hash }));
  } catch (cause) {
    if (!(cause instanceof CustodianCallError) || cause.code !== "manifest-refused") throw cause;
    throw new CliError(
      "custodian-refused",
      `the custodian has no manifest or change of the hash ${hash}: \`npx meterkeep manifest list\` and \`npx meterkeep change list\` show those that there are`,
      { cause, exitStatus: EXIT.refused },
    );
  }
}

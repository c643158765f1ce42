import { createPrivateKey } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { type ApprovedChange, approveChange, type LedgerChange } from "@meterkeep/ledger";
import { CliError } from "../error.ts";
import { fileContent } from "../named-file.ts";
import { type Terminal, write } from "../terminal.ts";

/** `meterkeep ledger approve` */
export async function approve(
  file: string,
  options: { readonly name: string; readonly key: string; readonly change?: string; readonly reason?: string },
  terminal: Terminal,
): Promise<void> {
  const approved = existsSync(file) ? readApproved(file) : { change: fresh(options), approvals: [] };
  const { change } = approved;
  await write(terminal.stderr, `You approve: ${change}\n`);
  const signature = approveChange(
    change,
    fileContent(options.key, "holds no private key", (pem) => createPrivateKey(pem)),
  );
  const others = approved.approvals.filter(({ name }) => name !== options.name);
  const approvals = [...others, { name: options.name, signature }];
  writeFileSync(file, `${JSON.stringify({ change, approvals } satisfies ApprovedChange)}\n`, { mode: 0o600 });
  await write(
    terminal.stdout,
    `${file} has the approval of ${approvals.map(({ name }) => name).join(", ")}. It takes two; then put it into the custodian's directory as ledger/approved-change.json and start.\n`,
  );
}

function readApproved(file: string): ApprovedChange {
  return fileContent(file, "is no approved change", (text) => JSON.parse(text) as ApprovedChange);
}

function fresh({ change, reason }: { readonly change?: string; readonly reason?: string }): string {
  if (change === undefined || reason === undefined)
    throw new CliError("option-invalid", "the file is not there yet: name the --change and the --reason");
  return JSON.stringify({ ...(JSON.parse(change) as LedgerChange), reason });
}

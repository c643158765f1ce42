import { asOperator } from "../keys/operator.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { type Terminal, write } from "../terminal.ts";
import type { ReasonOptions } from "./options.ts";
import { changeText } from "./print.ts";

/** `meterkeep change plan` */
export async function planChange(
  kind: string,
  facts: string,
  { state, json, requester = "operator", reason = "" }: ReasonOptions,
  terminal: Terminal,
): Promise<void> {
  const planned = await asOperator(state, terminal, (custodian) =>
    custodian.planChange({ kind, body: facts, requester, reason }),
  );
  const text = `Planned. Who may approve agrees to it on the custodian's own page, or with\n  npx meterkeep approve ${planned.hash} --as ID --key FILE\n`;
  await write(terminal.stdout, json === true ? `${JSON.stringify(planned)}\n` : text);
}

/** `meterkeep change list` */
export async function listChanges({ state, json }: OperatorOptions, terminal: Terminal): Promise<void> {
  const { changes } = await asOperator(state, terminal, (custodian) => custodian.changes({ limit: 50 }));
  const text = changes.length === 0 ? "No change was ever planned.\n" : changes.map(changeText).join("\n");
  await write(terminal.stdout, json === true ? `${JSON.stringify(changes)}\n` : text);
}

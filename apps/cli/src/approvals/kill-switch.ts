import { CliError } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { type Terminal, write } from "../terminal.ts";
import { planChange } from "./changes.ts";
import type { BreakGlassOptions, ReasonOptions } from "./options.ts";

/** `meterkeep kill-switch on` */
export async function freeze({ state, json, reason = "" }: ReasonOptions, terminal: Terminal): Promise<void> {
  await asOperator(state, terminal, (custodian) => custodian.freeze({ reason }));
  const text = "Everything critical is frozen. Two people thaw it: meterkeep kill-switch thaw\n";
  await write(terminal.stdout, json === true ? `${JSON.stringify({ frozen: true })}\n` : text);
}

/** `meterkeep kill-switch thaw` */
export async function thaw(options: ReasonOptions, terminal: Terminal): Promise<void> {
  const { frozen } = await asOperator(options.state, terminal, (custodian) => custodian.authorityState({}));
  if (frozen === undefined) throw new CliError("custodian-refused", "nothing is frozen");
  await planChange("thaw", JSON.stringify({ since: frozen.since }), options, terminal);
}

/** `meterkeep break-glass` */
export async function breakGlass({ minutes, ...options }: BreakGlassOptions, terminal: Terminal): Promise<void> {
  const facts = { minutes: Number(minutes), reason: options.reason ?? "" };
  await planChange("break-glass", JSON.stringify(facts), options, terminal);
}

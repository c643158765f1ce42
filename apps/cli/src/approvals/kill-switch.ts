import { CliError } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { type Terminal, write } from "../terminal.ts";
import { planChange } from "./changes.ts";
import type { BreakGlassOptions, ReasonOptions } from "./options.ts";

/** What is said while everything is frozen. */
export const FROZEN_SENTENCE = "Everything critical is frozen. Two people thaw it: npx meterkeep kill-switch thaw\n";

/** `meterkeep kill-switch on` */
export async function freeze({ state, json, reason = "" }: ReasonOptions, terminal: Terminal): Promise<void> {
  await asOperator(state, terminal, (custodian) => custodian.freeze({ reason }));
  await write(terminal.stdout, json === true ? `${JSON.stringify({ frozen: true })}\n` : FROZEN_SENTENCE);
}

/** `meterkeep kill-switch thaw` */
export async function thaw(options: ReasonOptions, terminal: Terminal): Promise<void> {
  const { frozen } = await asOperator(options.state, terminal, (custodian) => custodian.authorityState({}));
  if (frozen === undefined) throw new CliError("custodian-refused", "nothing is frozen");
  await planChange("thaw", JSON.stringify({ since: frozen.since }), options, terminal);
}

/** `meterkeep clock trust` */
export async function trustClock(options: ReasonOptions, terminal: Terminal): Promise<void> {
  const { clockDoubt, trouble } = await asOperator(options.state, terminal, (custodian) =>
    custodian.authorityState({}),
  );
  if (clockDoubt === undefined)
    throw new CliError("custodian-refused", trouble?.message ?? "the custodian does not doubt its clock");
  const [written, found] = [clockDoubt.written, clockDoubt.found].map((at) => new Date(at).toISOString());
  if (options.json !== true)
    await write(
      terminal.stdout,
      `The start found the clock at ${found}; what was written last is of ${written}. Hold the machine's clock against another one.\n`,
    );
  await planChange("trust-clock", JSON.stringify({ found: clockDoubt.found }), options, terminal);
}

/** `meterkeep break-glass` */
export async function breakGlass({ minutes, ...options }: BreakGlassOptions, terminal: Terminal): Promise<void> {
  const facts = { minutes: Number(minutes), reason: options.reason ?? "" };
  await planChange("break-glass", JSON.stringify(facts), options, terminal);
}

import { checkoutDirectory } from "../start/checkout.ts";
import { resolveOptions } from "../start/start-config.ts";
import { mayColour, type Terminal, write } from "../terminal.ts";
import { examine } from "./examine.ts";
import type { Finding } from "./finding.ts";

const MARKS: Readonly<Record<Finding["status"], { readonly mark: string; readonly colour: number }>> = {
  ok: { mark: "✓", colour: 32 },
  warning: { mark: "!", colour: 33 },
  failed: { mark: "✗", colour: 31 },
  optional: { mark: "-", colour: 2 },
};

/** Runs `meterkeep doctor`; the exit status is 1 when something would keep Meterkeep from starting. */
export async function runDoctor(
  given: Readonly<Record<string, string | undefined>> & { readonly json?: unknown },
  terminal: Terminal,
): Promise<void> {
  const { findings, isRunning } = await examine(checkoutDirectory(), resolveOptions(given, terminal.env));
  const failed = findings.filter(({ status }) => status === "failed").length;
  if (failed > 0) terminal.exitStatus = 1;
  if (given.json !== undefined) {
    await write(terminal.stdout, `${JSON.stringify({ ok: failed === 0, findings }, undefined, 2)}\n`);
    return;
  }
  const colour = mayColour(terminal, terminal.stdout);
  for (const { id, status, text, fix } of findings) {
    const { mark, colour: code } = MARKS[status];
    const shown = colour ? `\u001b[${code}m${mark}\u001b[0m` : mark;
    await write(terminal.stdout, `${shown} ${id.padEnd(16)} ${text}\n`);
    if (fix !== undefined) await write(terminal.stdout, `${" ".repeat(19)}${fix}\n`);
  }
  const well = isRunning ? "Meterkeep runs here." : "Meterkeep can start here: npm start";
  const verdict = failed === 0 ? well : `${failed} to mend before Meterkeep can start`;
  await write(terminal.stdout, `\n${verdict}\n`);
}

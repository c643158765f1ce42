import { isCancel, password } from "@clack/prompts";
import { listTokens, Token, type TokenDescription, type Trial } from "@meterkeep/hsm";
import Table from "cli-table3";
import { CliError } from "../error.ts";
import { secretText } from "../named-file.ts";
import { type Terminal, write } from "../terminal.ts";

export interface ProbeOptions {
  readonly library: string;
  readonly label?: string;
  readonly pinFile?: string;
  readonly lastTry?: boolean;
  readonly json?: true;
}

/** A trial of everything takes seconds on a slow token, and an RSA key pair more. */
const PATIENCE_MS = 120_000;

/** Lists the tokens of a library, or tries one. @throws CliError, HsmError */
export async function probe(
  { library, label, pinFile, lastTry = false, json }: ProbeOptions,
  terminal: Terminal,
): Promise<void> {
  if (label === undefined) {
    const tokens = await listTokens(library, environment(terminal));
    await write(terminal.stdout, json ? `${JSON.stringify({ tokens })}\n` : tokensText(tokens));
    return;
  }
  const pin = pinFile === undefined ? await askPin(label, terminal) : readPin(pinFile);
  await using token = new Token({
    library,
    label,
    pin: () => pin,
    sessions: 1,
    deadlineMs: PATIENCE_MS,
    allowsLastTry: lastTry,
    env: environment(terminal),
  });
  const description = await token.calls.describe();
  const trials = await token.calls.probe();
  await write(terminal.stdout, json ? `${JSON.stringify({ description, trials })}\n` : probeText(description, trials));
}

/** Makers' libraries find their configuration by variables of their own. */
function environment({ env }: Terminal): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function tokensText(tokens: Awaited<ReturnType<typeof listTokens>>): string {
  if (tokens.length === 0) return "The library has no token now.\n";
  const table = new Table({
    head: ["label", "manufacturer", "model", "serial", ""],
    style: { head: [], border: [], compact: true },
  });
  for (const { label, manufacturer, model, serial, isInitialised } of tokens)
    table.push([label, manufacturer, model, serial, isInitialised ? "" : "not initialised"]);
  return `${table.toString()}\n`;
}

function probeText(
  { label, manufacturer, model, serial, firmware, mechanisms }: TokenDescription,
  trials: readonly Trial[],
): string {
  const table = new Table({ head: ["what", "for", "one takes", ""], style: { head: [], border: [], compact: true } });
  for (const { name, purpose, milliseconds, count, refused } of trials)
    table.push([
      name,
      purpose,
      milliseconds === undefined ? String(count ?? "") : `${milliseconds.toFixed(3)} ms`,
      refused ?? "works",
    ]);
  const head = `${label}: ${manufacturer} ${model}, serial ${serial}, firmware ${firmware}, ${mechanisms.length} mechanisms\n`;
  return `${head}${table.toString()}\n`;
}

function readPin(path: string): string {
  return secretText(path).replace(/\r?\n$/, "");
}

async function askPin(label: string, { stdin, stderr }: Terminal): Promise<string> {
  if (stdin.isTTY !== true) throw new CliError("option-invalid", "no terminal to ask for the PIN at: use --pin-file");
  const pin = await password({ message: `PIN of ${label}`, input: stdin as never, output: stderr });
  if (isCancel(pin)) throw new CliError("option-invalid", "no PIN was given");
  return pin;
}

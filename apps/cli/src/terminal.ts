import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

/** A stream of characters that may be a terminal. */
export type TerminalOutput = Writable & { readonly isTTY?: boolean; readonly columns?: number };
export type TerminalInput = Readable & { readonly isTTY?: boolean };

/**
 * What a command sees of the process: the three streams, the environment and the exit status. Commands set the status
 * and return; they never call `process.exit`, so that output is flushed and handles are closed.
 */
export interface Terminal {
  readonly stdin: TerminalInput;
  readonly stdout: TerminalOutput;
  readonly stderr: TerminalOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C: a command that waits stops waiting and returns. */
  readonly interrupted: AbortSignal;
  exitStatus: number;
}

/** Whether output may carry colour: a terminal, and neither `NO_COLOR` nor `TERM=dumb`. */
export function mayColour(terminal: Pick<Terminal, "env">, output: TerminalOutput): boolean {
  return output.isTTY === true && !terminal.env["NO_COLOR"] && terminal.env["TERM"] !== "dumb";
}

/** Writes whole text and waits until the stream has taken it; a closed pipe (`| head`) ends quietly. */
export async function write(output: TerminalOutput, text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    output.write(text, (error) => {
      if (error && (error as NodeJS.ErrnoException).code !== "EPIPE") reject(error);
      else resolve();
    });
  });
}

/** Asks whoever is at the terminal, yes or no, no unless said; undefined where nobody is. */
export async function confirmed(
  { stdin, stderr, interrupted }: Pick<Terminal, "stdin" | "stderr" | "interrupted">,
  question: string,
): Promise<boolean | undefined> {
  if (stdin.isTTY !== true) return undefined;
  const lines = createInterface({ input: stdin, output: stderr, signal: interrupted });
  lines.setPrompt(`${question} [y/N] `);
  lines.prompt();
  // Whoever closes the terminal, or stops the command, has not said yes.
  const answer = await new Promise<string>((resolve) => {
    lines.once("line", resolve).once("close", () => resolve(""));
  });
  lines.close();
  return /^y(es)?$/i.test(answer.trim());
}

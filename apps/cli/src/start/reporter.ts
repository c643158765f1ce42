import type { TerminalOutput } from "../terminal.ts";
import type { Listening } from "./listening.ts";

/** Where Meterkeep can be reached, said when it runs. */
export interface RunningFacts {
  readonly address: string;
  /** Where the custodian's own page is. */
  readonly approvals: string;
  /** Absent when the first administrator has signed in already. */
  readonly signIn?: string;
  readonly homes: number;
  readonly speed: number;
  /** `address:port` that meters push to. */
  readonly push: string;
  readonly openToNetwork: boolean;
  /** Where else somebody comes in. */
  readonly listening: readonly Listening[];
  readonly state: string;
  /** Where `npx meterkeep` finds the program. */
  readonly checkout: string;
  /** Commands to try next, each as it can be typed there. */
  readonly tryNext: readonly Suggestion[];
  /** Gets a new sign-in link. */
  readonly recover: string;
  readonly seconds: number;
}

/** A command, and what it shows. */
export interface Suggestion {
  readonly command: string;
  readonly meaning: string;
}

/** Tells the person at the terminal, or a program with `--json`, what happens. */
export interface Reporter {
  /** Something was done; `milliseconds` is how long it took. */
  step(text: string, milliseconds?: number): void;
  /** Something to know or to mend. */
  warn(text: string): void;
  running(facts: RunningFacts): void;
  /** A new single-use link while running. */
  signIn(url: string): void;
}

/** Steps as lines; with a mark in colour where the output is a terminal. */
export function textReporter(output: TerminalOutput, colour: boolean): Reporter {
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const line = (text: string): void => void output.write(`${text}\n`);
  const table = (rows: readonly (readonly [string, string])[]): void => {
    const width = Math.max(...rows.map(([what]) => what.length)) + 2;
    for (const [what, meaning] of rows) line(`  ${what.padEnd(width)} ${paint(2, meaning)}`);
  };
  return {
    step: (text, milliseconds) => {
      const duration = milliseconds === undefined ? "" : `  ${(milliseconds / 1_000).toFixed(1)} s`;
      line(`  ${paint(32, "✓")} ${text}${paint(2, duration)}`);
    },
    warn: (text) => line(`  ${paint(33, "!")} ${text}`),
    running: (facts) => {
      line("");
      line(`Meterkeep runs at ${paint(1, facts.address)} after ${facts.seconds.toFixed(1)} s`);
      line(
        `${facts.homes} simulated homes, whose time runs ${facts.speed} times as fast; meters push to ${facts.push}${facts.openToNetwork ? ", which is open to the network" : ""}`,
      );
      line("");
      if (facts.signIn !== undefined) line(`Sign in, once, with    ${paint(36, facts.signIn)}`);
      else line(`Sign in as before; without a session or passkey: ${facts.recover} (it ends those that there are)`);
      line("");
      line(`Approve and freeze at  ${paint(36, facts.approvals)}, the custodian's own page`);
      line("");
      if (facts.listening.length > 0) {
        line("It listens, too, at");
        table(facts.listening.map(({ address, who }) => [address, who]));
        line("");
      }
      line(`Try next, in another terminal (in ${facts.checkout}):`);
      table(facts.tryNext.map(({ command, meaning }) => [command, meaning]));
      line("");
      line(`Ctrl-C stops it; the next start goes on where it was (${facts.state}).`);
    },
    signIn: (url) => line(`  New sign-in link       ${paint(36, url)}`),
  };
}

/** One JSON object a line: `{ "type": "step" | "warning" | "running" | "sign-in", … }`. */
export function jsonReporter(output: TerminalOutput): Reporter {
  const line = (value: object): void => void output.write(`${JSON.stringify(value)}\n`);
  return {
    step: (text, milliseconds) => line({ type: "step", text, ...(milliseconds !== undefined && { milliseconds }) }),
    warn: (text) => line({ type: "warning", text }),
    running: (facts) => line({ type: "running", ...facts }),
    signIn: (url) => line({ type: "sign-in", url }),
  };
}

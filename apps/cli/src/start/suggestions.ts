import type { Suggestion } from "./reporter.ts";

/** Commands that show what this is, as README.md has them, and the one that brings back a lost login. */
export interface Suggestions {
  readonly tryNext: readonly Suggestion[];
  readonly recover: string;
}

/** What reaches the Meterkeep of that state directory when it is added to a command; nothing for the one looked in anyway. */
export function commandOptions(state: string | undefined): string {
  return state === undefined ? "" : ` --state ${quoted(state)}`;
}

/**
 * Writes commands so that they reach this Meterkeep when they are typed in the checkout.
 *
 * @param state its state directory, unless it is the one that commands look in by themselves
 */
export function suggestionsFor(state: string | undefined): Suggestions {
  const where = commandOptions(state);
  return {
    tryNext: [
      {
        command: `npx meterkeep drill break-in${where}`,
        meaning: "what a thief of the head-end can do",
      },
      { command: `npx meterkeep meter list${where}`, meaning: "every meter, its trust and why" },
      {
        command: "npx meterkeep decode examples/authenticated.hex --key-file examples/keys.json",
        meaning: "a telegram as a meter pushed it",
      },
    ],
    recover: `npx meterkeep admin recover${where}`,
  };
}

/** As one word of a POSIX shell. */
function quoted(path: string): string {
  return /^[\w/.,:@%+=-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

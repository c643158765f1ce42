/** The keys of the console: one table for what they do and what the list under `?` says. */

export interface Shortcut {
  /** Keys as typed one after the other. */
  readonly keys: readonly string[];
  readonly says: string;
  readonly does:
    | "town"
    | "decode"
    | "ledger"
    | "sla"
    | "work"
    | "approvals"
    | "blast"
    | "people"
    | "certificates"
    | "field"
    | "drill"
    | "find"
    | "scheme"
    | "shortcuts"
    | undefined;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { keys: ["g", "t"], says: "Go to the town", does: "town" },
  { keys: ["g", "d"], says: "Go to the decoder", does: "decode" },
  { keys: ["g", "b"], says: "Go to the break-in drill", does: "drill" },
  { keys: ["g", "l"], says: "Go to the ledger", does: "ledger" },
  { keys: ["g", "c"], says: "Go to the certificates", does: "certificates" },
  { keys: ["g", "s"], says: "Go to the service level", does: "sla" },
  { keys: ["g", "w"], says: "Go to work", does: "work" },
  { keys: ["g", "a"], says: "Go to the approvals", does: "approvals" },
  { keys: ["g", "r"], says: "Go to the blast radius", does: "blast" },
  { keys: ["g", "p"], says: "Go to the people", does: "people" },
  { keys: ["g", "f"], says: "Go to the technicians", does: "field" },
  { keys: ["/"], says: "Find a meter", does: "find" },
  { keys: ["m"], says: "Light or dark", does: "scheme" },
  { keys: ["?"], says: "Show this list", does: "shortcuts" },
  { keys: ["Tab"], says: "Into and out of the diagram", does: undefined },
  { keys: ["←", "→", "↑", "↓"], says: "From home to home", does: undefined },
  { keys: ["PgUp", "PgDn"], says: "To the next feeder", does: undefined },
  { keys: ["Home", "End"], says: "To the ends of a row", does: undefined },
  { keys: ["Enter"], says: "Open the meter", does: undefined },
  { keys: ["Esc"], says: "Close a panel", does: undefined },
];

export type ShortcutAction = Exclude<Shortcut["does"], undefined>;

/** Pure reader of key presses: remembers the first key of a pair. */
export function readKey(
  held: string | undefined,
  key: string,
): { readonly held: string | undefined; readonly action: ShortcutAction | undefined } {
  const typed = held === undefined ? [key] : [held, key];
  const hit = SHORTCUTS.find(({ keys, does }) => does !== undefined && keys.join(" ") === typed.join(" "));
  if (hit !== undefined) return { held: undefined, action: hit.does };
  const begins = SHORTCUTS.some(({ keys, does }) => does !== undefined && keys.length > 1 && keys[0] === key);
  return { held: begins ? key : undefined, action: undefined };
}

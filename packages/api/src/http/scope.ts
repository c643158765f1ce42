/** What a login may do, in one word each; what machines' tokens and people's roles are made of. */
import { words } from "./scalars.ts";

/** Every route of the API takes one of these, or a login at all. */
export const SCOPES = ["read", "operate", "request", "release", "freeze", "tokens", "people"] as const;
export type ScopeName = (typeof SCOPES)[number];
export const Scope = words(
  SCOPES,
  "read: see everything and change nothing; operate: attach meters, read them, start drills; request: ask for commands that others approve; release: decide about what was quarantined or is disputed; freeze: stop everything critical; tokens: see and withdraw tokens of machines; people: admit people, give roles, end logins, make tokens",
);

/** What the scope of a machine's token reaches: each includes those before it, and none makes tokens or people. */
export const TOKEN_SCOPES = {
  read: ["read"],
  operate: ["read", "operate"],
  request: ["read", "operate", "request"],
  admin: ["read", "operate", "request", "tokens"],
} as const satisfies Readonly<Record<string, readonly ScopeName[]>>;
export type TokenScopeName = keyof typeof TOKEN_SCOPES;
export const TOKEN_SCOPE_NAMES = Object.keys(TOKEN_SCOPES) as [TokenScopeName, ...TokenScopeName[]];
export const TokenScope = words(
  TOKEN_SCOPE_NAMES,
  "read: see everything and change nothing; operate: also attach meters and start drills; request: also ask for commands, which people approve; admin: also see and withdraw tokens. Each includes those before it",
);

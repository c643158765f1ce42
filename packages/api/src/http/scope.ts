/** How far a machine's token reaches. Each scope includes those before it. */
import { words } from "./scalars.ts";

export const TOKEN_SCOPES = ["read", "operate", "admin"] as const;
export type TokenScopeName = (typeof TOKEN_SCOPES)[number];
export const TokenScope = words(
  TOKEN_SCOPES,
  "read: see everything and change nothing; operate: also attach meters and start drills; admin: also see and withdraw tokens. Each includes those before it",
);

/** Whether a login of scope `held` may do what takes `needed`. */
export function scopeIncludes(held: TokenScopeName, needed: TokenScopeName): boolean {
  return TOKEN_SCOPES.indexOf(held) >= TOKEN_SCOPES.indexOf(needed);
}

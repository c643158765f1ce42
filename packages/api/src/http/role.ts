/** The roles of people: what each may do, and which two nobody holds together. */
import { words } from "./scalars.ts";
import type { ScopeName } from "./scope.ts";

interface RoleRow {
  /** What somebody of this role does, for pages and documentation. */
  readonly does: string;
  readonly scopes: readonly ScopeName[];
  /** Roles that nobody holds besides this one. */
  readonly apart: readonly string[];
}

/**
 * Separation of duties: who asks does not approve, who approves does not admit people, who keeps keys does not operate, and
 * who audits changes nothing. Every pair stands in both of its rows.
 */
export const ROLES = {
  administrator: {
    does: "admits people, gives roles and ends logins",
    scopes: ["read", "tokens", "people", "freeze"],
    apart: ["approver", "auditor"],
  },
  operator: {
    does: "attaches meters, reads them, and asks for commands",
    scopes: ["read", "operate", "request", "freeze"],
    apart: ["approver", "key-administrator", "auditor"],
  },
  approver: {
    does: "approves what others ask for, and decides about what was quarantined and what is disputed",
    scopes: ["read", "release", "freeze"],
    apart: ["administrator", "operator", "key-administrator", "auditor"],
  },
  "key-administrator": {
    does: "keeps keys and certificates with the custodian's own command, and operates nothing",
    scopes: ["read", "freeze"],
    apart: ["operator", "approver", "auditor"],
  },
  auditor: {
    does: "reads everything and changes nothing",
    scopes: ["read"],
    apart: ["administrator", "operator", "approver", "key-administrator"],
  },
} as const satisfies Readonly<Record<string, RoleRow>>;

export type RoleName = keyof typeof ROLES;
export const ROLE_NAMES = Object.keys(ROLES) as [RoleName, ...RoleName[]];
export const Role = words(ROLE_NAMES, ROLE_NAMES.map((name) => `${name}: ${ROLES[name].does}`).join("; "));

/** Two of the roles that nobody may hold together, or undefined. */
export function rolesApart(roles: readonly RoleName[]): readonly [RoleName, RoleName] | undefined {
  for (const one of roles)
    for (const other of roles) if ((ROLES[one].apart as readonly RoleName[]).includes(other)) return [one, other];
  return undefined;
}

/** Everything that somebody of these roles may do. A word that is no role gives nothing. */
export function scopesOfRoles(roles: readonly string[]): readonly ScopeName[] {
  const known = roles.filter((role): role is RoleName => Object.hasOwn(ROLES, role));
  return [...new Set(known.flatMap((role): readonly ScopeName[] => ROLES[role].scopes))];
}

import { type RouteAccess, scopeIncludes, type TokenScopeName } from "@meterkeep/api";
import type { Login, MachineTokens, People } from "@meterkeep/headend";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ProblemError } from "./problem-error.ts";
import { isLocalSocket } from "./security.ts";

export const SESSION_COOKIE = "meterkeep_session";

/** The machine's owner on the admin socket. */
const OWNER_LOGIN: Login = {
  kind: "machine",
  id: "00000000-0000-0000-0000-000000000000",
  name: "owner of this machine",
  roles: ["owner"],
  scope: "admin",
  signedInAt: undefined,
  expiresAt: undefined,
};

declare module "fastify" {
  interface FastifyContextConfig {
    /** Who may call the route. A route that does not say it is closed to everybody. */
    readonly access?: RouteAccess | "asset";
    /** How far a login has to reach. A route that does not say it is closed to tokens. */
    readonly scope?: TokenScopeName;
  }
  interface FastifyRequest {
    /** Who asks; set wherever the route is not open to everybody. */
    login: Login | undefined;
  }
}

/**
 * Lets a request through to its route, or not. Deny by default: a route without `access`, and whatever has no route, is
 * answered only to who has signed in. `asset` is the console's own files, which hold nothing of the installation.
 */
export function requireLogin(
  app: FastifyInstance,
  people: Pick<People, "bySession">,
  tokens: Pick<MachineTokens, "byToken">,
): void {
  app.decorateRequest("login", undefined);
  app.addHook("onRequest", async (request) => {
    const access = request.routeOptions.config.access;
    const isAsset = access === "asset" && !request.url.startsWith("/api/");
    if (isAsset || access === "nobody-yet") return;
    const login = await whoAsks(request, people, tokens);
    if (login === undefined)
      throw new ProblemError(
        "sign-in-required",
        "open the sign-in link that `meterkeep start` printed, or send a token",
      );
    request.login = login;
    const isOwner = login === OWNER_LOGIN;
    if (access === "owner" && !isOwner)
      throw new ProblemError("not-allowed", "only the owner of this machine may do that, with the command meterkeep");
    if (access === "person" && login.kind !== "person" && !isOwner)
      throw new ProblemError("not-allowed", "a machine's token may not do that; sign in as a person");
    refuseShortScope(request, login);
  });
}

function refuseShortScope(request: FastifyRequest, login: Login): void {
  const { scope } = request.routeOptions.config;
  if (scope === undefined) {
    if (login.kind === "machine" && login !== OWNER_LOGIN && !request.is404)
      throw new ProblemError("not-allowed", "no token may do that");
  } else if (!scopeIncludes(login.scope, scope))
    throw new ProblemError("scope-missing", `this login has the scope "${login.scope}", and that takes "${scope}"`);
}

async function whoAsks(
  request: FastifyRequest,
  people: Pick<People, "bySession">,
  tokens: Pick<MachineTokens, "byToken">,
): Promise<Login | undefined> {
  if (isLocalSocket(request)) return OWNER_LOGIN;
  const bearer = /^Bearer ([\w-]{20,200})$/.exec(request.headers.authorization ?? "")?.[1];
  if (bearer !== undefined) return tokens.byToken(bearer);
  const cookie = request.cookies[SESSION_COOKIE];
  return cookie === undefined ? undefined : people.bySession(cookie);
}

/** Who asks, on a route that let nobody else through. */
export function loginOf(request: FastifyRequest): Login {
  if (request.login === undefined) throw new ProblemError("sign-in-required", "sign in first");
  return request.login;
}

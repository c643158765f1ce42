import { type RouteAccess, SCOPES, type ScopeName } from "@meterkeep/api";
import type { Login, Logins, MachineTokens } from "@meterkeep/headend";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ProblemError } from "./problem-error.ts";
import { isLocalSocket } from "./security.ts";

export const SESSION_COOKIE = "meterkeep_session";

/** How long what is critical stays open after a passkey was shown. */
export const STEP_UP_MILLISECONDS = 5 * 60_000;

/** The machine's owner on the admin socket. */
const OWNER_LOGIN: Login = {
  kind: "machine",
  id: "00000000-0000-0000-0000-000000000000",
  name: "owner of this machine",
  roles: ["owner"],
  scopes: SCOPES,
  signedInAt: undefined,
  provenAt: undefined,
  expiresAt: undefined,
};

declare module "fastify" {
  interface FastifyContextConfig {
    /** Who may call the route. A route that does not say it is closed to everybody. */
    readonly access?: RouteAccess | "asset";
    /** What a login has to be allowed. A route that does not say it is closed to everybody but the owner. */
    readonly scope?: ScopeName;
    /** Whether a person has to have shown a passkey just now. */
    readonly stepUp?: true;
  }
  interface FastifyRequest {
    /** Who asks; set wherever the route is not open to everybody. */
    login: Login | undefined;
    /** Whether what the request showed is a login still: for what goes on after its answer has begun. */
    isStillIn: () => Promise<boolean>;
  }
}

/** Who can say who asks, and what time it is. */
export interface Doorkeepers {
  readonly logins: Pick<Logins, "bySession">;
  readonly tokens: Pick<MachineTokens, "byToken">;
  now(): number;
}

/**
 * Lets a request through to its route, or not: the one place where that is decided. Deny by default: a route without
 * `access` or `scope` is answered to the owner alone, and what has no route only to who has signed in. `asset` is the console's own files, which hold nothing of the installation.
 */
export function requireLogin(app: FastifyInstance, doorkeepers: Doorkeepers): void {
  app.decorateRequest("login", undefined);
  app.decorateRequest("isStillIn", async () => false);
  app.addHook("onRequest", async (request) => {
    const access = request.routeOptions.config.access;
    const isAsset = access === "asset" && !request.url.startsWith("/api/");
    if (isAsset || access === "nobody-yet") return;
    const login = await whoAsks(request, doorkeepers);
    if (login === undefined)
      throw new ProblemError(
        "sign-in-required",
        "open the sign-in link that `npx meterkeep start` printed, or send a token",
      );
    request.login = login;
    request.isStillIn = async () => (await whoAsks(request, doorkeepers)) !== undefined;
    // What the console has no file for, under the API's own addresses, is not there: that may be said.
    if (login !== OWNER_LOGIN && !request.is404 && access !== "asset") refuse(request, login, doorkeepers.now());
  });
}

function refuse(request: FastifyRequest, login: Login, now: number): void {
  const { access, scope, stepUp } = request.routeOptions.config;
  if (access === "owner")
    throw new ProblemError("not-allowed", "only the owner of this machine may do that, with the command meterkeep");
  if (access === "person" && login.kind !== "person")
    throw new ProblemError("not-allowed", "a machine's token may not do that; sign in as a person");
  if (scope === undefined || !(access === "anyone" || access === "person"))
    throw new ProblemError("not-allowed", "nobody may do that");
  if (!login.scopes.includes(scope))
    throw new ProblemError(
      "scope-missing",
      `that takes "${scope}", and ${wordsOf(login)} may ${login.scopes.join(", ")}`,
    );
  if (stepUp === true && login.kind === "person" && !isProven(login, now))
    throw new ProblemError("step-up-required", "show your passkey again; then it is open for five minutes");
}

/** Whether somebody showed a passkey just now. */
function isProven({ provenAt }: Login, now: number): boolean {
  return provenAt !== undefined && now - provenAt.getTime() <= STEP_UP_MILLISECONDS && provenAt.getTime() <= now;
}

function wordsOf({ kind, roles }: Login): string {
  return kind === "machine" ? "this token" : `somebody who is ${roles.join(" and ")}`;
}

async function whoAsks(request: FastifyRequest, { logins, tokens }: Doorkeepers): Promise<Login | undefined> {
  if (isLocalSocket(request)) return OWNER_LOGIN;
  const bearer = /^Bearer ([\w-]{20,200})$/.exec(request.headers.authorization ?? "")?.[1];
  if (bearer !== undefined) return tokens.byToken(bearer);
  const cookie = request.cookies[SESSION_COOKIE];
  return cookie === undefined ? undefined : logins.bySession(cookie);
}

/** Who asks, on a route that let nobody else through. */
export function loginOf(request: FastifyRequest): Login {
  if (request.login === undefined) throw new ProblemError("sign-in-required", "sign in first");
  return request.login;
}

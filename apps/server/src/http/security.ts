import type { FastifyInstance, FastifyRequest } from "fastify";
import { ProblemError } from "./problem-error.ts";

/** What every answer carries. The console needs nothing but itself: no inline script or style, no other origin. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
};

/** Answered besides what is configured: the names of this machine to itself. */
const LOCAL_NAMES = ["localhost", "127.0.0.1", "[::1]"] as const;

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Refuses names that are not ours (a page elsewhere that had its own name resolve to this machine) and requests that
 * another site's page makes with our cookie, and puts the security headers on every answer.
 */
export function secure(app: FastifyInstance, hostNames: readonly string[]): void {
  const isOurs = namesOf(hostNames);
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    if (request.url.startsWith("/api/")) reply.header("cache-control", "no-store");
    if (isLocalSocket(request)) return;
    const host = request.headers.host;
    if (host === undefined || !isOurs(host))
      throw new ProblemError("host-refused", `open http://localhost:PORT instead of ${host ?? "no name at all"}`);
    if (!SAFE_METHODS.has(request.method)) refuseForeignOrigin(request, host);
  });
}

/** Whether the server answers to a name: those of this machine, and what is configured. */
export function namesOf(hostNames: readonly string[]): (host: string | undefined) => boolean {
  const names: ReadonlySet<string> = new Set([...LOCAL_NAMES, ...hostNames]);
  return (host) => host !== undefined && names.has(host.replace(/:\d+$/, "").toLowerCase());
}

/**
 * A browser names the page's origin with every request that can change something; programs name none. A cookie without
 * an origin is refused where the browser says that it was another site's doing.
 */
function refuseForeignOrigin(request: FastifyRequest, host: string): void {
  const { origin } = request.headers;
  const site = request.headers["sec-fetch-site"];
  const isForeign = origin !== undefined ? !isSameOrigin(origin, host) : site !== undefined && site !== "same-origin";
  if (isForeign) throw new ProblemError("origin-refused", "requests that change something come from this page only");
  if (origin === undefined && site === undefined && request.headers.cookie !== undefined)
    throw new ProblemError("origin-refused", "a cookie without an Origin header: programs use a token instead");
}

function isSameOrigin(origin: string, host: string): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}

/** Requests of the admin socket come over the file system, which has let them in. */
export function isLocalSocket(request: FastifyRequest): boolean {
  return OWNER in request.raw.socket;
}

/** Marks sockets of the admin listener. */
export const OWNER: unique symbol = Symbol("owner of this machine");

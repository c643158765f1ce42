import fastifyCookie from "@fastify/cookie";
import fastifyRateLimit from "@fastify/rate-limit";
import type { Problem } from "@meterkeep/api";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify, LogController } from "fastify";
import type { Logger } from "pino";
import { announcementHandlers } from "../handlers/announcements.ts";
import { auditHandlers } from "../handlers/audit.ts";
import { commandHandlers } from "../handlers/commands.ts";
import type { Context } from "../handlers/context.ts";
import { departureHandlers } from "../handlers/departures.ts";
import { drillHandlers } from "../handlers/drills.ts";
import { fieldHandlers } from "../handlers/field.ts";
import { ledgerHandlers } from "../handlers/ledger.ts";
import { meterHandlers } from "../handlers/meters.ts";
import { organisationHandlers } from "../handlers/organisation.ts";
import { passkeyHandlers } from "../handlers/passkeys.ts";
import { peopleHandlers } from "../handlers/people.ts";
import { pkiHandlers } from "../handlers/pki.ts";
import { plausibilityHandlers } from "../handlers/plausibility.ts";
import { readingHandlers } from "../handlers/readings.ts";
import { signInHandlers } from "../handlers/sign-in.ts";
import { slaHandlers } from "../handlers/sla.ts";
import { statusHandlers } from "../handlers/status.ts";
import { tokenHandlers } from "../handlers/tokens.ts";
import { type AtOnce, servePublications } from "../pki/publications.ts";
import { serveConsole } from "./console.ts";
import { describeApi } from "./docs.ts";
import { requireLogin } from "./login.ts";
import { type Metrics, serveMetrics } from "./metrics.ts";
import { mountRoutes } from "./mount.ts";
import { ProblemError, problemOf } from "./problem-error.ts";
import { namesOf, SECURITY_HEADERS, secure } from "./security.ts";

const MAX_BODY_BYTES = 64 * 1024;

export interface AppOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Names besides localhost that the server answers to. */
  readonly hostNames: readonly string[];
  readonly consoleDirectory: string;
}

/** The app, and what it answers before its framework has looked. */
export interface App extends FastifyInstance {
  readonly atOnce: AtOnce;
}

/** The HTTP side of a head-end: every route, the console and the documentation, behind one door. */
export async function createApp(context: Context, options: AppOptions): Promise<App> {
  const app = fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: 30_000,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, allErrors: false } },
    genReqId: () => crypto.randomUUID(),
    forceCloseConnections: true,
    // An address that the router itself refuses: it comes by none of the hooks.
    frameworkErrors: (error, request, reply) =>
      void refuse((reply as unknown as FastifyReply).headers(SECURITY_HEADERS), problemOf(error, request.id)),
  }) as unknown as FastifyInstance;
  app.removeContentTypeParser("text/plain");
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error, request.id);
    if (problem.status >= 500) request.log.error({ err: error, req: request }, problem.title);
    // Who opens the description in a browser is led to the sign-in, and back.
    if (problem.code === "sign-in-required" && isDocsInBrowser(request))
      return reply.redirect("/sign-in?next=/api/docs");
    return refuse(reply, problem);
  });
  app.setNotFoundHandler((request) => {
    throw new ProblemError("not-found", `there is no ${request.method} ${request.url.split("?")[0]}`);
  });
  secure(app, options.hostNames);
  await app.register(fastifyCookie);
  requireLogin(app, context);
  await app.register(fastifyRateLimit, { global: false });
  await describeApi(app, context.config.version);
  mountRoutes(app, {
    ...statusHandlers(context),
    ...peopleHandlers(context),
    ...signInHandlers(context),
    ...passkeyHandlers(context),
    ...organisationHandlers(context),
    ...tokenHandlers(context),
    ...meterHandlers(context),
    ...readingHandlers(context),
    ...slaHandlers(context),
    ...plausibilityHandlers(context),
    ...announcementHandlers(context),
    ...auditHandlers(context),
    ...ledgerHandlers(context),
    ...pkiHandlers(context),
    ...fieldHandlers(context),
    ...departureHandlers(context),
    ...drillHandlers(context),
    ...commandHandlers(context),
  });
  app.get("/healthz", { config: { access: "nobody-yet" }, schema: { hide: true } }, async () =>
    statusHandlers(context).health({} as never),
  );
  serveMetrics(app, options.metrics);
  const atOnce = servePublications(app, context, namesOf(options.hostNames));
  await serveConsole(app, options.consoleDirectory);
  return Object.assign(app, { atOnce });
}

function isDocsInBrowser({ url, headers }: FastifyRequest): boolean {
  return url === "/api/docs" && headers.accept?.includes("text/html") === true;
}

function refuse(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply.status(problem.status).type("application/problem+json").send(problem);
}

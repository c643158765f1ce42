import {
  API_PREFIX,
  HTTP_ROUTES,
  Problem,
  type Route,
  type RouteAnswer,
  type RouteBody,
  type RouteId,
  type RouteParams,
  type RouteQuery,
} from "@meterkeep/api";
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from "fastify";
import { ProblemError } from "./problem-error.ts";

/** A request whose parts have been checked against the route's schemas. */
export interface Call<Id extends RouteId> {
  readonly params: RouteParams<Id>;
  readonly query: RouteQuery<Id>;
  readonly body: RouteBody<Id>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** What answers a route. A route without a response schema answers by itself, or with nothing. */
export type Handler<Id extends RouteId> = (
  call: Call<Id>,
) => Promise<RouteAnswer<Id> extends undefined ? void : RouteAnswer<Id>>;

/** One for each route of the table: a missing one does not compile. */
export type Handlers = { readonly [Id in RouteId]: Handler<Id> };

/** Limits of routes that a guesser would call often; the others have none. */
const GUESSED: ReadonlySet<RouteId> = new Set([
  "signIn",
  "passkeySignIn",
  "passkeySignInOptions",
  "organisationSignIn",
  "organisationSignInOptions",
]);
const GUESSES_A_MINUTE = 20;

/** Mounts every route of the API's table. */
export function mountRoutes(app: FastifyInstance, handlers: Handlers): void {
  for (const id of Object.keys(HTTP_ROUTES) as RouteId[])
    mountRoute(app, id, HTTP_ROUTES[id], handlers[id] as AnyHandler);
}

type AnyHandler = (call: {
  params: unknown;
  query: unknown;
  body: unknown;
  request: FastifyRequest;
  reply: FastifyReply;
}) => Promise<unknown>;

function mountRoute(app: FastifyInstance, id: RouteId, route: Route, handler: AnyHandler): void {
  app.route({
    method: route.method,
    url: API_PREFIX + route.path,
    schema: schemaOf(id, route),
    config: {
      access: route.access,
      ...(route.scope === undefined ? {} : { scope: route.scope }),
      ...(route.stepUp === undefined ? {} : { stepUp: route.stepUp }),
      ...(GUESSED.has(id) ? { rateLimit: { max: GUESSES_A_MINUTE, timeWindow: "1 minute" } } : {}),
    },
    handler: async (request, reply) => {
      const { params, query, body } = request;
      for (const [where, part] of Object.entries({ params, querystring: query, body })) refuseInfinite(where, part);
      reply.status(route.status);
      const answer = await handler({ params, query, body, request, reply });
      // An event stream has taken the socket over; another one is on its way.
      if (reply.sent || route.media !== undefined) return reply;
      return route.response === undefined ? reply.send() : answer;
    },
  });
}

/** The validator turns the text "1e999" into infinity, and then skips the limits of a number that is none. */
function refuseInfinite(where: string, part: unknown): void {
  if (typeof part !== "object" || part === null) return;
  for (const [name, value] of Object.entries(part))
    if (typeof value === "number" && !Number.isFinite(value))
      throw new ProblemError("body-invalid", `${where}/${name} must be a finite number`);
}

function schemaOf(id: RouteId, route: Route): FastifySchema {
  const isOpen = route.access === "nobody-yet";
  return {
    operationId: id,
    tags: [route.tag],
    summary: route.summary,
    security: isOpen
      ? []
      : [
          { session: [] },
          ...(route.access === "anyone" && route.scope !== undefined ? [{ token: [route.scope] }] : []),
        ],
    ...(route.params === undefined ? {} : { params: route.params }),
    ...(route.query === undefined ? {} : { querystring: route.query }),
    ...(route.body === undefined ? {} : { body: route.body }),
    response: {
      [route.status]: route.response ?? mediaOf(route) ?? { type: "null", description: "Done" },
      default: { description: "A problem", content: { "application/problem+json": { schema: Problem } } },
    },
  };
}

function mediaOf({ media, summary }: Route): unknown {
  if (media === undefined) return undefined;
  const schema = { type: "string", format: "binary" };
  return { description: summary, content: Object.fromEntries(media.map((type) => [type, { schema }])) };
}

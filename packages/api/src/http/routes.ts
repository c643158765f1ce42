/** Every route of the HTTP API in one table: the server mounts it, the tests walk it, the console types its calls by it. */
import { type Static, type TSchema, Type } from "typebox";
import { AUDIT_ROUTES } from "./audit-routes.ts";
import { COMMAND_ROUTES } from "./command-routes.ts";
import { DEPARTURE_ROUTES } from "./departure-routes.ts";
import { DrillList, DrillReport, DrillStarted } from "./drill.ts";
import { RecentEventList } from "./event.ts";
import { FieldView, HandheldParams, LoseHandheld } from "./field.ts";
import { AttachMeter, MeterDetail, MeterList, MeterListQuery } from "./meter.ts";
import { MeterSummary, Overview } from "./overview.ts";
import { Health, PublicConfig } from "./people.ts";
import { PEOPLE_ROUTES } from "./people-routes.ts";
import { READING_ROUTES } from "./reading-routes.ts";
import type { Route } from "./route.ts";
import { Identifier, SystemTitleText } from "./scalars.ts";
import { SessionDetail, SessionList } from "./session.ts";

/** Prefix of every path below. */
export const API_PREFIX = "/api/v1";

const meterParams = Type.Object({ systemTitle: SystemTitleText });
const idParams = Type.Object({ id: Identifier });
const noQuery = Type.Object({}, { additionalProperties: false });

export const HTTP_ROUTES = {
  health: {
    method: "GET",
    path: "/healthz",
    access: "nobody-yet",
    tag: "status",
    status: 200,
    summary: "Say whether the head-end and its database answer",
    response: Health,
  },
  publicConfig: {
    method: "GET",
    path: "/config/public",
    access: "anyone",
    scope: "read",
    tag: "status",
    status: 200,
    summary: "Read names, version and listening addresses",
    response: PublicConfig,
  },
  overview: {
    method: "GET",
    path: "/overview",
    access: "anyone",
    scope: "read",
    tag: "status",
    status: 200,
    summary: "Read the grid, all meters in one line each, counts and warnings",
    response: Overview,
  },
  recentEvents: {
    method: "GET",
    path: "/events/recent",
    access: "anyone",
    scope: "read",
    tag: "status",
    status: 200,
    summary: "Read the newest events in words",
    query: Type.Object(
      { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })) },
      { additionalProperties: false },
    ),
    response: RecentEventList,
  },
  events: {
    method: "GET",
    path: "/events",
    access: "anyone",
    scope: "read",
    tag: "status",
    status: 200,
    summary: "Open the stream of server-sent events",
    query: Type.Object(
      {
        after: Type.Optional(Type.String({ maxLength: 40, description: "As Last-Event-ID, for the first connection" })),
      },
      { additionalProperties: false },
    ),
  },

  ...PEOPLE_ROUTES,

  listMeters: {
    method: "GET",
    path: "/meters",
    access: "anyone",
    scope: "read",
    tag: "meters",
    status: 200,
    summary: "List meters, a page at a time",
    query: MeterListQuery,
    response: MeterList,
  },
  attachMeter: {
    method: "POST",
    path: "/meters",
    access: "anyone",
    scope: "operate",
    tag: "meters",
    status: 201,
    summary: "Attach a real meter, its keys sealed to the custodian",
    body: AttachMeter,
    response: MeterSummary,
  },
  meter: {
    method: "GET",
    path: "/meters/:systemTitle",
    access: "anyone",
    scope: "read",
    tag: "meters",
    status: 200,
    summary: "Read one meter's identity, keys, trust and takeover",
    params: meterParams,
    response: MeterDetail,
  },
  meterSessions: {
    method: "GET",
    path: "/meters/:systemTitle/sessions",
    access: "anyone",
    scope: "read",
    tag: "sessions",
    status: 200,
    summary: "List a meter's sessions, newest first",
    params: meterParams,
    query: Type.Object(
      { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })) },
      { additionalProperties: false },
    ),
    response: SessionList,
  },
  session: {
    method: "GET",
    path: "/sessions/:id",
    access: "anyone",
    scope: "read",
    tag: "sessions",
    status: 200,
    summary: "Read a session step by step",
    params: idParams,
    response: SessionDetail,
  },
  ...READING_ROUTES,
  ...AUDIT_ROUTES,
  field: {
    method: "GET",
    path: "/field",
    access: "anyone",
    scope: "read",
    tag: "field",
    status: 200,
    summary: "List handhelds and leases, and which meters their keys still open",
    response: FieldView,
  },
  loseHandheld: {
    method: "POST",
    path: "/field/handhelds/:handheld/lost",
    access: "anyone",
    scope: "operate",
    tag: "field",
    status: 200,
    summary: "Report a handheld as lost: its keys count as compromised, and are rotated before all others",
    params: HandheldParams,
    body: LoseHandheld,
    response: FieldView,
  },
  ...DEPARTURE_ROUTES,
  ...COMMAND_ROUTES,
  startDrill: {
    method: "POST",
    path: "/drills/break-in",
    access: "anyone",
    scope: "operate",
    tag: "drills",
    status: 202,
    summary: "Start the break-in drill against the simulated town",
    response: DrillStarted,
  },
  startCutDrill: {
    method: "POST",
    path: "/drills/break-in/cut",
    access: "anyone",
    scope: "freeze",
    tag: "drills",
    status: 202,
    summary:
      "Start the break-in drill and throw the kill switch for real at its first act: everything critical stands still until two people thaw it",
    response: DrillStarted,
  },
  listDrills: {
    method: "GET",
    path: "/drills",
    access: "anyone",
    scope: "read",
    tag: "drills",
    status: 200,
    summary: "List drills, newest first",
    query: noQuery,
    response: DrillList,
  },
  drill: {
    method: "GET",
    path: "/drills/:id",
    access: "anyone",
    scope: "read",
    tag: "drills",
    status: 200,
    summary: "Read a drill's report",
    params: idParams,
    response: DrillReport,
  },
} as const satisfies Record<string, Route>;

export type HttpRoutes = typeof HTTP_ROUTES;
export type RouteId = keyof HttpRoutes;

type Part<Id extends RouteId, K extends string> = HttpRoutes[Id] extends { readonly [P in K]: infer S extends TSchema }
  ? Static<S>
  : undefined;

/** What a route is asked with and answers: `undefined` where its table row names no schema. */
export type RouteParams<Id extends RouteId> = Part<Id, "params">;
export type RouteQuery<Id extends RouteId> = Part<Id, "query">;
export type RouteBody<Id extends RouteId> = Part<Id, "body">;
export type RouteAnswer<Id extends RouteId> = Part<Id, "response">;

/** Every route of the HTTP API in one table: the server mounts it, the tests walk it, the console types its calls by it. */
import { type Static, type TSchema, Type } from "typebox";
import { COMMAND_ROUTES } from "./command-routes.ts";
import { RecipientKeys } from "./custodian.ts";
import { DrillList, DrillReport, DrillStarted } from "./drill.ts";
import { RecentEventList } from "./event.ts";
import { FieldView, HandheldParams, LoseHandheld } from "./field.ts";
import { LedgerCheckpoints, LedgerPage, LedgerProof, LedgerState, LedgerWindow } from "./ledger.ts";
import { AttachMeter, MeterDetail, MeterList } from "./meter.ts";
import { MeterSummary, Overview } from "./overview.ts";
import { Health, PublicConfig } from "./people.ts";
import { PEOPLE_ROUTES } from "./people-routes.ts";
import {
  AuthorityList,
  AuthorityParams,
  CertificateList,
  CertificateQuery,
  EffectQuery,
  ExpiryBoard,
  RevocationEffect,
  RevocationList,
} from "./pki.ts";
import {
  EvidenceView,
  EXPORT_FORMATS,
  ExportQuery,
  ProfileView,
  PushSourceList,
  ReadingList,
  ReadingWindow,
} from "./reading.ts";
import type { Route } from "./route.ts";
import { Identifier, METER_KINDS, Sequence, Sha256, SystemTitleText, TrustState, words } from "./scalars.ts";
import { SessionDetail, SessionList } from "./session.ts";
import { SlaBoard, SlaGapList, SlaGapQuery, SlaQuery } from "./sla.ts";

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
    summary: "List meters",
    query: Type.Object(
      { kind: Type.Optional(words(METER_KINDS)), trust: Type.Optional(TrustState) },
      { additionalProperties: false },
    ),
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
  readings: {
    method: "GET",
    path: "/meters/:systemTitle/readings",
    access: "anyone",
    scope: "read",
    tag: "readings",
    status: 200,
    summary: "Read registers; by default only what decisions may use",
    params: meterParams,
    query: ReadingWindow,
    response: ReadingList,
  },
  profile: {
    method: "GET",
    path: "/meters/:systemTitle/profile",
    access: "anyone",
    scope: "read",
    tag: "readings",
    status: 200,
    summary: "Read the load profile; by default only what decisions may use",
    params: meterParams,
    query: ReadingWindow,
    response: ProfileView,
  },
  exportIntervals: {
    method: "GET",
    path: "/export/intervals",
    access: "anyone",
    scope: "read",
    tag: "readings",
    status: 200,
    summary:
      "Export every meter's intervals of a time as CSV, Parquet or IEC CIM XML; by default only what decisions may use",
    query: ExportQuery,
    media: Object.values(EXPORT_FORMATS),
  },
  sla: {
    method: "GET",
    path: "/sla",
    access: "anyone",
    scope: "read",
    tag: "readings",
    status: 200,
    summary: "Count how much of a day is held, and whether it was in time: 98 % by 08:00, 99.5 % by 24:00",
    query: SlaQuery,
    response: SlaBoard,
  },
  slaGaps: {
    method: "GET",
    path: "/sla/gaps",
    access: "anyone",
    scope: "read",
    tag: "readings",
    status: 200,
    summary: "List exactly what is missing of a day, meter by meter",
    query: SlaGapQuery,
    response: SlaGapList,
  },
  evidence: {
    method: "GET",
    path: "/evidence/:hash",
    access: "anyone",
    scope: "read",
    tag: "readings",
    status: 200,
    summary: "Read the octets that a value rests on",
    params: Type.Object({ hash: Sha256 }),
    response: EvidenceView,
  },
  pushSources: {
    method: "GET",
    path: "/push-sources",
    access: "anyone",
    scope: "read",
    tag: "readings",
    status: 200,
    summary: "List who pushes to us, strangers too",
    response: PushSourceList,
  },

  ledger: {
    method: "GET",
    path: "/ledger",
    access: "anyone",
    scope: "read",
    tag: "audit",
    status: 200,
    summary: "Read the custodian's or the head-end's ledger",
    query: LedgerWindow,
    response: LedgerPage,
  },
  ledgerState: {
    method: "GET",
    path: "/ledger/state",
    access: "anyone",
    scope: "read",
    tag: "audit",
    status: 200,
    summary: "Read how the custodian's ledger is kept: its head, keys, checkpoint and witnesses",
    response: LedgerState,
  },
  ledgerProof: {
    method: "GET",
    path: "/ledger/proof",
    access: "anyone",
    scope: "read",
    tag: "audit",
    status: 200,
    summary: "Read the hashes that lead from an entry of the custodian's ledger to the root of a tree",
    query: Type.Object(
      { sequence: Sequence("The entry"), size: Sequence("How many entries the tree has") },
      { additionalProperties: false },
    ),
    response: LedgerProof,
  },
  ledgerConsistency: {
    method: "GET",
    path: "/ledger/consistency",
    access: "anyone",
    scope: "read",
    tag: "audit",
    status: 200,
    summary: "Read the hashes that show one tree of the custodian's ledger to be the beginning of another",
    query: Type.Object(
      { former: Sequence("Entries of the former tree"), size: Sequence("Entries of the later tree") },
      { additionalProperties: false },
    ),
    response: LedgerProof,
  },
  ledgerCheckpoints: {
    method: "GET",
    path: "/ledger/checkpoints",
    access: "anyone",
    scope: "read",
    tag: "audit",
    status: 200,
    summary: "Read signed tree heads of the custodian's ledger, with what witnesses have signed",
    query: Type.Object({ from: Sequence("Of at least so many entries") }, { additionalProperties: false }),
    response: LedgerCheckpoints,
  },
  recipient: {
    method: "GET",
    path: "/custodian/recipient",
    access: "anyone",
    scope: "read",
    tag: "audit",
    status: 200,
    summary: "Read the public keys to which a meter's keys are sealed",
    response: RecipientKeys,
  },
  authorities: {
    method: "GET",
    path: "/pki/authorities",
    access: "anyone",
    scope: "read",
    tag: "pki",
    status: 200,
    summary: "List the authorities of the PKI",
    response: AuthorityList,
  },
  certificates: {
    method: "GET",
    path: "/pki/certificates",
    access: "anyone",
    scope: "read",
    tag: "pki",
    status: 200,
    summary: "Search certificates, those that end first before the others",
    query: CertificateQuery,
    response: CertificateList,
  },
  expiryBoard: {
    method: "GET",
    path: "/pki/expiry",
    access: "anyone",
    scope: "read",
    tag: "pki",
    status: 200,
    summary: "Count the certificates that end within days, by profile",
    response: ExpiryBoard,
  },
  revocationEffect: {
    method: "GET",
    path: "/pki/authorities/:authority/effect",
    access: "anyone",
    scope: "read",
    tag: "pki",
    status: 200,
    summary: "Say what revoking an authority would do, and do nothing",
    params: AuthorityParams,
    query: EffectQuery,
    response: RevocationEffect,
  },
  revocations: {
    method: "GET",
    path: "/pki/revocations",
    access: "anyone",
    scope: "read",
    tag: "pki",
    status: 200,
    summary: "List revocations in stages, and islands that are cut",
    response: RevocationList,
  },
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

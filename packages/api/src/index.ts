// The HTTP API: schemas, their types, and the table of routes.
export {
  CustodianSummary,
  KeyDescription,
  METER_KEY_PURPOSES,
  RecipientKeys,
  SealedMeterKeys,
} from "./http/custodian.ts";
export { DRILL_STATES, DrillItem, DrillList, DrillReport, DrillStarted, type DrillState } from "./http/drill.ts";
export {
  ClockEvent,
  DrillEvent,
  EVENT_TYPES,
  type EventData,
  type EventType,
  HeartbeatEvent,
  ImportEvent,
  LedgerEvent,
  MeterEvent,
  PushEvent,
  ReadingEvent,
  RecentEvent,
  RecentEventList,
  ResetEvent,
  SessionEvent,
  TakeoverEvent,
  WarningsEvent,
} from "./http/event.ts";
export { LEDGER_SOURCES, LedgerPage, LedgerRow, LedgerWindow, ROUTINE_LEDGER_KINDS } from "./http/ledger.ts";
export {
  AttachMeter,
  MeterDetail,
  MeterIdentity,
  MeterList,
  ProfileFacts,
  TakeoverView,
  TrustChange,
} from "./http/meter.ts";
export { ClockView, GridView, METER_PATHS, MeterSummary, Overview, OverviewCounts, Warning } from "./http/overview.ts";
export {
  CreatedMachineToken,
  CreateMachineToken,
  Health,
  MachineToken,
  MachineTokenList,
  Me,
  Passkey,
  PasskeyList,
  PasskeyOptions,
  PasskeyResponse,
  PublicConfig,
  SignIn,
  SignInLink,
} from "./http/people.ts";
export { HTTP_PROBLEM_CODES, HTTP_PROBLEMS, type HttpProblemCode, Problem } from "./http/problem.ts";
export {
  EvidenceView,
  ProfileColumn,
  ProfileRow,
  ProfileView,
  PushSource,
  PushSourceList,
  ReadingList,
  ReadingWindow,
  RegisterReading,
  TRUST_FILTERS,
} from "./http/reading.ts";
export {
  API_PREFIX,
  HTTP_ROUTES,
  type HttpRoutes,
  type Route,
  type RouteAccess,
  type RouteAnswer,
  type RouteBody,
  type RouteId,
  type RouteParams,
  type RouteQuery,
} from "./http/routes.ts";
export {
  Identifier,
  METER_KINDS,
  type MeterKind,
  Obis,
  Octets,
  PROTECTIONS,
  Protection,
  type ProtectionGrade,
  Sha256,
  SUPPLY_STATES,
  type SupplyState,
  SystemTitleText,
  TAKEOVER_STAGES,
  type TakeoverStage,
  TakeoverStageName,
  Timestamp,
  TRUST_STATES,
  TrustState,
  type TrustStateName,
  words,
} from "./http/scalars.ts";
export { scopeIncludes, TOKEN_SCOPES, TokenScope, type TokenScopeName } from "./http/scope.ts";
export {
  DecodedLine,
  LadderStep,
  SESSION_OUTCOMES,
  SESSION_PURPOSES,
  SessionDetail,
  SessionList,
  type SessionOutcome,
  type SessionPurpose,
  SessionSummary,
} from "./http/session.ts";

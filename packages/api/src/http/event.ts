/**
 * The event stream (server-sent events on `GET /api/v1/events`). Each event has an `id` that a reconnecting browser sends back
 * as `Last-Event-ID`; when the hub no longer holds what came after it, the first event is `reset` and the page loads anew.
 */
import { type Static, Type } from "typebox";
import { CustodianSummary } from "./custodian.ts";
import { MeterSummary, Warning } from "./overview.ts";
import { SystemTitleText, Timestamp, words } from "./scalars.ts";
import { SessionSummary } from "./session.ts";

export const EVENT_TYPES = [
  "meter",
  "reading",
  "takeover",
  "session",
  "push",
  "implausible",
  "ledger",
  "import",
  "warnings",
  "drill",
  "clock",
  "heartbeat",
  "reset",
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Data of `event: meter`: the whole line, so that a page replaces what it shows. */
export const MeterEvent = MeterSummary;
export type MeterEvent = MeterSummary;

/** New intervals or registers of a meter were stored. */
export const ReadingEvent = Type.Object({
  meter: SystemTitleText,
  at: Timestamp,
  intervals: Type.Integer(),
  registers: Type.Integer(),
  newest: Type.Optional(Timestamp),
  powerW: Type.Optional(Type.Number({ description: "Drawn from the grid less fed into it, W" })),
  energyWh: Type.Optional(Type.Number()),
  evidence: Type.Optional(Type.String()),
});
export type ReadingEvent = Static<typeof ReadingEvent>;

export const TakeoverEvent = Type.Object({
  meter: SystemTitleText,
  at: Timestamp,
  step: Type.String(),
  sentence: Type.String(),
  grade: Type.String(),
  verdict: Type.String(),
});
export type TakeoverEvent = Static<typeof TakeoverEvent>;

export const SessionEvent = SessionSummary;
export type SessionEvent = SessionSummary;

export const PushEvent = Type.Object({
  at: Timestamp,
  source: Type.String(),
  meter: Type.Optional(SystemTitleText),
  accepted: Type.Boolean(),
  code: Type.Optional(Type.String()),
  sentence: Type.String(),
});
export type PushEvent = Static<typeof PushEvent>;

/** What a meter, a transformer or a cohort said is not plausible, gravely. */
export const ImplausibleEvent = Type.Object({
  at: Timestamp,
  rule: Type.String({ description: "`P-1` to `P-17`" }),
  meter: Type.Optional(SystemTitleText),
  sentence: Type.String(),
});
export type ImplausibleEvent = Static<typeof ImplausibleEvent>;

export const LedgerEvent = Type.Object({
  source: words(["custodian", "head-end"]),
  sequence: Type.Integer(),
  at: Timestamp,
  kind: Type.String(),
  meter: Type.Optional(SystemTitleText),
  sentence: Type.String(),
});
export type LedgerEvent = Static<typeof LedgerEvent>;

/** A file of the exchange directory was taken in, or refused. */
export const ImportEvent = Type.Object({
  at: Timestamp,
  file: Type.String({ description: "Its path in the exchange directory" }),
  imported: Type.Boolean({ description: "False when it was refused; the sentence says why" }),
  meters: Type.Integer({ description: "Meters in it" }),
  added: Type.Integer({ description: "Meters that were not known before" }),
  sentence: Type.String(),
});
export type ImportEvent = Static<typeof ImportEvent>;

/** What weakens the installation has changed: all warnings as they are now, and how the custodian is. */
export const WarningsEvent = Type.Object({ warnings: Type.Array(Warning), custodian: CustodianSummary });
export type WarningsEvent = Static<typeof WarningsEvent>;

export const DrillEvent = Type.Object({
  drill: Type.String(),
  state: Type.String(),
  asked: Type.Integer(),
  sealed: Type.Integer(),
  refused: Type.Integer(),
  dark: Type.Integer(),
  readBack: Type.Integer(),
  onItsWay: Type.Integer(),
});
export type DrillEvent = Static<typeof DrillEvent>;

export const ClockEvent = Type.Object({ now: Timestamp, wallNow: Timestamp, factor: Type.Number() });
export type ClockEvent = Static<typeof ClockEvent>;
export const HeartbeatEvent = Type.Object({ at: Timestamp });
export type HeartbeatEvent = Static<typeof HeartbeatEvent>;
export const ResetEvent = Type.Object({ reason: Type.String() });
export type ResetEvent = Static<typeof ResetEvent>;

/** What each event carries. */
export interface EventData {
  readonly meter: MeterEvent;
  readonly reading: ReadingEvent;
  readonly takeover: TakeoverEvent;
  readonly session: SessionEvent;
  readonly push: PushEvent;
  readonly implausible: ImplausibleEvent;
  readonly ledger: LedgerEvent;
  readonly import: ImportEvent;
  readonly warnings: WarningsEvent;
  readonly drill: DrillEvent;
  readonly clock: ClockEvent;
  readonly heartbeat: HeartbeatEvent;
  readonly reset: ResetEvent;
}

/** A recent event in one line, for the page's event list and for `GET /events/recent`. */
export const RecentEvent = Type.Object({
  id: Type.String(),
  at: Timestamp,
  type: words(EVENT_TYPES),
  meter: Type.Optional(SystemTitleText),
  sentence: Type.String(),
  session: Type.Optional(Type.String()),
  evidence: Type.Optional(Type.String()),
  severity: words(["info", "notice", "warning"]),
});
export type RecentEvent = Static<typeof RecentEvent>;
export const RecentEventList = Type.Object({ events: Type.Array(RecentEvent) });
export type RecentEventList = Static<typeof RecentEventList>;

/** What meters write into their event logs, and the quality of what they are supplied with. */
import { type Static, Type } from "typebox";
import { STANDINGS } from "./reading.ts";
import { Obis, Protection, Sha256, SystemTitleText, Timestamp, TrustState, words } from "./scalars.ts";

/** What an event is about. */
export const EVENT_CATEGORIES = [
  "power",
  "clock",
  "config",
  "firmware",
  "key-change",
  "auth-failure",
  "crypto-failure",
  "replay",
  "physical",
  "supply-control",
  "power-quality",
  "mbus",
  "log-tamper",
  "health",
  "session",
  "other",
] as const;
export type EventCategory = (typeof EVENT_CATEGORIES)[number];

const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: "200 unless given" }));
const severity = Type.Integer({ minimum: 0, maximum: 4, description: "0: ordinary; 4: an attack" });

/** Which events: those of a stretch of time at the source, of a category, at least so grave. */
export const MeterEventQuery = Type.Object(
  {
    from: Type.Optional(Timestamp),
    to: Type.Optional(Timestamp),
    category: Type.Optional(words(EVENT_CATEGORIES)),
    severity: Type.Optional(severity),
    limit,
  },
  { additionalProperties: false },
);
export type MeterEventQuery = Static<typeof MeterEventQuery>;

/** One line of an event log. */
export const LoggedEvent = Type.Object({
  meter: SystemTitleText,
  label: Type.String(),
  log: Type.String({ description: "As the meter profile calls it: standard, fraud, security" }),
  code: Type.Integer(),
  words: Type.String({ description: "What the code means on meters of this profile" }),
  category: words(EVENT_CATEGORIES),
  severity,
  time: Timestamp,
  receivedAt: Timestamp,
  evidence: Sha256,
  protection: Protection,
  trustAtCapture: TrustState,
});
export type LoggedEvent = Static<typeof LoggedEvent>;
export const MeterEventList = Type.Object({ events: Type.Array(LoggedEvent, { description: "Newest first" }) });
export type MeterEventList = Static<typeof MeterEventList>;

export const QualityQuery = Type.Object(
  {
    from: Type.Optional(Timestamp),
    to: Type.Optional(Timestamp),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: "1000 unless given" })),
  },
  { additionalProperties: false },
);
export type QualityQuery = Static<typeof QualityQuery>;

/** What a meter's power quality profile said: voltages and such, a row an instant. */
export const QualityView = Type.Object({
  meter: SystemTitleText,
  columns: Type.Array(Type.Object({ obis: Obis, name: Type.String(), unit: Type.String() })),
  rows: Type.Array(
    Type.Object({
      time: Timestamp,
      values: Type.Array(Type.Union([Type.Number(), Type.Null()]), {
        description: "One for each column, in its order",
      }),
      evidence: Sha256,
      protection: Protection,
      trustAtCapture: TrustState,
      standing: words(STANDINGS, "As of registers"),
      decisive: Type.Boolean({ description: "Decisions may use it" }),
    }),
    { description: "Oldest first" },
  ),
});
export type QualityView = Static<typeof QualityView>;

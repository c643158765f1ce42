/** Readings: each with time, unit, status, evidence, and the trust of its source then and now. */
import { type Static, Type } from "typebox";
import { Obis, Octets, Protection, Sha256, SystemTitleText, Timestamp, TrustState, words } from "./scalars.ts";

export const TRUST_FILTERS = ["trusted", "all"] as const;

/** `trusted` (the default) leaves out what decisions may not use, and says how much that was. */
export const ReadingWindow = Type.Object(
  {
    from: Type.Optional(Timestamp),
    to: Type.Optional(Timestamp),
    trust: Type.Optional(words(TRUST_FILTERS)),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  },
  { additionalProperties: false },
);
export type ReadingWindow = Static<typeof ReadingWindow>;

/** Whether something is in dispute, and what somebody has decided about it. */
export const STANDINGS = ["undisputed", "accepted", "disputed", "rejected"] as const;
export type Standing = (typeof STANDINGS)[number];

const provenance = {
  evidence: Sha256,
  protection: Protection,
  source: words(["session", "push"]),
  trustAtCapture: TrustState,
  trustNow: TrustState,
  decisive: Type.Boolean({ description: "Decisions may use it" }),
};

export const RegisterReading = Type.Object({
  obis: Obis,
  name: Type.String({ description: "What the OBIS code means, in words" }),
  value: Type.Union([Type.Number(), Type.String()]),
  unit: Type.Optional(Type.String()),
  time: Timestamp,
  receivedAt: Timestamp,
  status: Type.Optional(Type.String()),
  standing: words(
    STANDINGS,
    "disputed: a finding about the meter disputes what it says of that time; accepted, rejected: somebody has settled that",
  ),
  ...provenance,
});
export type RegisterReading = Static<typeof RegisterReading>;

/** The forms in which readings are exported, with their media types. */
export const EXPORT_FORMATS = {
  csv: "text/csv; charset=utf-8; header=present",
  parquet: "application/vnd.apache.parquet",
  cim: "application/xml; charset=utf-8",
} as const;
export type ExportFormat = keyof typeof EXPORT_FORMATS;
/** Those that are tables. */
export type TableFormat = Exclude<ExportFormat, "cim">;

export const ExportQuery = Type.Object(
  {
    format: words(
      Object.keys(EXPORT_FORMATS) as ExportFormat[],
      "csv: RFC 4180; parquet: Apache Parquet; cim: a MeterReadings document of IEC 61968-9",
    ),
    from: Timestamp,
    to: Timestamp,
    trust: Type.Optional(
      words(
        TRUST_FILTERS,
        "trusted, unless given: only what decisions may use, and so nothing that is disputed or rejected",
      ),
    ),
    meter: Type.Optional(SystemTitleText),
  },
  { additionalProperties: false },
);
export type ExportQuery = Static<typeof ExportQuery>;

export const EventExportQuery = Type.Object(
  {
    ...ExportQuery.properties,
    format: words(["csv", "parquet"] satisfies TableFormat[], "csv: RFC 4180; parquet: Apache Parquet"),
    trust: Type.Optional(
      words(
        TRUST_FILTERS,
        "trusted, unless given: only of meters that are trusted, then and now, and as they proved it",
      ),
    ),
  },
  { additionalProperties: false },
);
export type EventExportQuery = Static<typeof EventExportQuery>;

export const ReadingList = Type.Object({
  meter: SystemTitleText,
  trust: words(TRUST_FILTERS),
  leftOut: Type.Integer({ description: "How many the trust filter left out" }),
  readings: Type.Array(RegisterReading),
});
export type ReadingList = Static<typeof ReadingList>;

export const ProfileColumn = Type.Object({
  channel: Type.String(),
  obis: Obis,
  name: Type.String(),
  unit: Type.Optional(Type.String()),
});
export type ProfileColumn = Static<typeof ProfileColumn>;

/** What is to be said of an interval beyond its trust. */
export const INTERVAL_QUALITIES = ["actual", "late", "accepted", "disputed", "rejected"] as const;
export type IntervalQuality = (typeof INTERVAL_QUALITIES)[number];

export const ProfileRow = Type.Object({
  time: Timestamp,
  values: Type.Array(Type.Union([Type.Number(), Type.Null()]), { description: "One for each column, in its order" }),
  status: Type.Optional(Type.Integer()),
  statusWords: Type.Array(Type.String()),
  quality: words(
    INTERVAL_QUALITIES,
    "actual: came before its day was closed; late: came after that; disputed: another value came for the same instant, and neither overwrites the other, or a finding disputes what the meter says of that time, and nobody has settled it; accepted, rejected: somebody has",
  ),
  ...provenance,
});
export type ProfileRow = Static<typeof ProfileRow>;

export const ProfileView = Type.Object({
  meter: SystemTitleText,
  trust: words(TRUST_FILTERS),
  periodSeconds: Type.Integer(),
  leftOut: Type.Integer(),
  columns: Type.Array(ProfileColumn),
  rows: Type.Array(ProfileRow),
});
export type ProfileView = Static<typeof ProfileView>;

/** What a number rests on: the octets as they came in. */
export const EvidenceView = Type.Object({
  hash: Sha256,
  apdu: Octets,
  plain: Type.Optional(Octets),
  meter: SystemTitleText,
  session: Type.Optional(Type.String()),
  push: Type.Optional(Type.Object({ source: Type.String(), transport: words(["tcp", "udp", "gateway"]) })),
  receivedAt: Timestamp,
  protection: Protection,
  trustAtCapture: TrustState,
  trustNow: TrustState,
  intervals: Type.Integer({ description: "How many intervals rest on it" }),
  registers: Type.Integer(),
});
export type EvidenceView = Static<typeof EvidenceView>;

/** Who pushes to us: known meters and strangers, with what was refused and why. */
export const PushSource = Type.Object({
  address: Type.String(),
  transport: words(["tcp", "udp", "gateway"]),
  systemTitle: Type.Optional(SystemTitleText),
  meter: Type.Optional(SystemTitleText),
  stranger: Type.Boolean(),
  protection: Type.Optional(Protection),
  accepted: Type.Integer(),
  refused: Type.Integer(),
  lastRefusal: Type.Optional(Type.String({ description: "For example replayed, unknown-meter, not-authentic" })),
  firstSeenAt: Timestamp,
  lastSeenAt: Timestamp,
});
export type PushSource = Static<typeof PushSource>;
export const PushSourceList = Type.Object({ sources: Type.Array(PushSource) });
export type PushSourceList = Static<typeof PushSourceList>;

/** One meter: who it is, which keys it has (never their octets), how far it is trusted and why. */
import { type Static, Type } from "typebox";
import { KeyDescription, SealedMeterKeys } from "./custodian.ts";
import { MeterSummary } from "./overview.ts";
import {
  Identifier,
  METER_KINDS,
  PlainText,
  SUPPLY_STATES,
  SystemTitleText,
  TakeoverStageName,
  Timestamp,
  TrustState,
  words,
} from "./scalars.ts";

/** What is wrong with where a meter speaks to, or from where somebody speaks in its name. */
export const DESTINATION_INCIDENTS = [
  "points-elsewhere",
  "foreign-traffic",
  "two-places",
  "moved",
  "false-delivery",
] as const;

export const MeterIdentity = Type.Object({
  systemTitle: SystemTitleText,
  manufacturer: Type.String(),
  logicalDeviceName: Type.Optional(Type.String()),
  serialNumber: Type.Optional(Type.String()),
  model: Type.Optional(Type.String()),
  hardwareRevision: Type.Optional(Type.String()),
  firmware: Type.Optional(Type.String()),
  securitySuite: Type.Integer(),
  shipment: Type.Optional(Type.String({ description: "Id of the shipment it came in" })),
  holders: Type.Array(Type.String(), { description: "Who could have held the factory keys: the taint set" }),
  importedAt: Timestamp,
});
export type MeterIdentity = Static<typeof MeterIdentity>;

export const TrustChange = Type.Object({
  at: Timestamp,
  from: Type.Optional(TrustState),
  to: TrustState,
  sentence: Type.String(),
});
export type TrustChange = Static<typeof TrustChange>;

export const TakeoverView = Type.Object({
  stage: TakeoverStageName,
  phase: Type.String(),
  grade: words(["none", "exposed", "shielded", "agreed"], "Who could have listened while the keys were changed"),
  verdict: Type.String({ description: "pending, proven, keeps-factory-keys, keeps-master-key, unknown" }),
  provenAt: Type.Optional(Timestamp),
  sentence: Type.String(),
  steps: Type.Array(
    Type.Object({
      step: Type.String(),
      sentence: Type.String(),
      state: words(["done", "current", "ahead", "failed"]),
      at: Type.Optional(Timestamp),
      session: Type.Optional(Identifier),
    }),
  ),
});
export type TakeoverView = Static<typeof TakeoverView>;

/** Where a meter's certificates stand, as the custodian says it. */
export const EnrolmentView = Type.Object({
  phase: words(["not-applicable", "waiting", "planned", "under-way", "enrolled", "failed"]),
  anchor: words(["unknown", "ordered", "verified", "missing", "other", "compromised"]),
  sentence: Type.String(),
  signs: Type.Boolean({ description: "Whether it proves itself by signature in sessions" }),
  provenAt: Type.Optional(Timestamp),
  certificates: Type.Array(
    Type.Object({
      use: words(["digitalSignature", "keyAgreement", "tls"]),
      subject: Type.String(),
      serial: Type.String({ description: "Lower-case hex" }),
      issuedBy: Type.String(),
      notBefore: Timestamp,
      notAfter: Type.Optional(Timestamp),
      state: words(["issued", "on-meter", "proven", "former"]),
    }),
  ),
  steps: Type.Array(
    Type.Object({
      step: Type.String(),
      detail: Type.String(),
      outcome: words(["passed", "refused", "failed", "lost", "unproven"]),
      at: Timestamp,
    }),
  ),
});
export type EnrolmentView = Static<typeof EnrolmentView>;

/** What the head-end knows of a kind of meter, as data. */
export const ProfileFacts = Type.Object({
  id: Type.String(),
  name: Type.String(),
  publicClient: Type.Integer(),
  managementClient: Type.Integer(),
  counterObject: Type.String(),
  maxPduSizeBytes: Type.Integer(),
  securityHeader: words(["service-specific", "general"]),
  loadProfile: Type.String(),
  periodSeconds: Type.Integer(),
  access: words(["range", "entry"], "How a part of the load profile is asked for"),
  columns: Type.Array(Type.Object({ obis: Type.String(), name: Type.String(), unit: Type.Optional(Type.String()) })),
});
export type ProfileFacts = Static<typeof ProfileFacts>;

export const MeterDetail = Type.Object({
  meter: MeterSummary,
  identity: MeterIdentity,
  keys: Type.Array(KeyDescription),
  trust: Type.Object({
    state: TrustState,
    sentence: Type.String(),
    since: Timestamp,
    history: Type.Array(TrustChange),
  }),
  takeover: TakeoverView,
  enrolment: Type.Optional(EnrolmentView),
  lastSession: Type.Optional(Identifier),
  destinations: Type.Array(
    Type.Object({
      purpose: words(["read", "depot", "push-source"]),
      address: Type.String(),
      firstSeenAt: Type.Optional(Timestamp),
      lastSeenAt: Type.Optional(Timestamp),
      authenticated: Type.Boolean(),
    }),
  ),
  incidents: Type.Array(
    Type.Object({
      kind: words(DESTINATION_INCIDENTS),
      place: Type.String(),
      sentence: Type.String(),
      at: Timestamp,
      count: Type.Integer(),
    }),
    { description: "What was wrong with its destinations, the newest first" },
  ),
  profile: Type.Optional(ProfileFacts),
  intervals: Type.Object({
    held: Type.Integer(),
    missing: Type.Integer({ description: "Intervals that the head-end should hold by now and does not" }),
    missingQuality: Type.Optional(
      Type.Integer({ description: "The same of its power quality; absent where none is collected" }),
    ),
    oldest: Type.Optional(Timestamp),
    newest: Type.Optional(Timestamp),
  }),
});
export type MeterDetail = Static<typeof MeterDetail>;

export const MeterListQuery = Type.Object(
  {
    kind: Type.Optional(words(METER_KINDS)),
    trust: Type.Optional(TrustState),
    supply: Type.Optional(words(SUPPLY_STATES)),
    feeder: Type.Optional(PlainText({ maxLength: 80 })),
    find: Type.Optional(
      PlainText({
        maxLength: 120,
        description: "Words that each occur in label, system title, profile, feeder, trust, supply or kind",
      }),
    ),
    after: Type.Optional(Type.String({ pattern: "^[0-9]{1,10}$", description: "`next` of the page before" })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5_000, description: "1 000 unless given" })),
  },
  { additionalProperties: false },
);
export type MeterListQuery = Static<typeof MeterListQuery>;

export const MeterList = Type.Object({
  asOf: Timestamp,
  meters: Type.Array(MeterSummary),
  next: Type.Optional(Type.String({ description: "There is more: ask again with it as `after`" })),
});
export type MeterList = Static<typeof MeterList>;

/** Attach a real meter. Its keys come sealed to the custodian and pass through here unread. */
export const AttachMeter = Type.Object(
  {
    systemTitle: SystemTitleText,
    label: PlainText({ minLength: 1, maxLength: 80 }),
    sealed: SealedMeterKeys,
    profile: Type.Optional(PlainText({ maxLength: 40 })),
    layout: Type.Optional(
      PlainText({ maxLength: 80, description: "Layout of its pushes, where they carry no OBIS codes" }),
    ),
    source: Type.Optional(
      Type.String({
        maxLength: 200,
        pattern: "^tcp://",
        description: "tcp://host:port of a serial gateway to listen to",
      }),
    ),
  },
  { additionalProperties: false },
);
export type AttachMeter = Static<typeof AttachMeter>;

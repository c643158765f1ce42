/** Commands to meters: one call makes a campaign, whether of one meter or a hundred thousand (ADR 0024). */
import { type Static, Type } from "typebox";
import { Identifier, Name64, PlainText, SystemTitleText, Timestamp, Watts, words } from "./scalars.ts";

/** Which meters: all of the island's, those of a feeder or transformer, of a profile, model, firmware or named group, or these. What is not in service is left out and said. */
export const Selection = Type.Union(
  [
    Type.Object({ kind: Type.Literal("all") }, { additionalProperties: false }),
    Type.Object({ kind: Type.Literal("feeder"), feeder: Name64 }, { additionalProperties: false }),
    Type.Object({ kind: Type.Literal("transformer"), transformer: Name64 }, { additionalProperties: false }),
    Type.Object({ kind: Type.Literal("profile"), profile: Name64 }, { additionalProperties: false }),
    Type.Object({ kind: Type.Literal("model"), model: Name64 }, { additionalProperties: false }),
    Type.Object({ kind: Type.Literal("firmware"), firmware: Name64 }, { additionalProperties: false }),
    Type.Object({ kind: Type.Literal("group"), group: Name64 }, { additionalProperties: false }),
    Type.Object(
      { kind: Type.Literal("list"), meters: Type.Array(SystemTitleText, { minItems: 1, maxItems: 20_000 }) },
      { additionalProperties: false },
    ),
  ],
  { description: "Which meters" },
);
export type Selection = Static<typeof Selection>;

/** Why (regulators' codes first) and whether the customer has to be told before. */
export const COMMAND_REASONS = ["arrears", "move-out", "safety", "grid", "restore", "maintenance", "test"] as const;
export type CommandReason = (typeof COMMAND_REASONS)[number];

export const URGENCIES = ["ordinary", "emergency"] as const;
export type Urgency = (typeof URGENCIES)[number];

/** What is asked for. */
export const CommandOrder = Type.Object(
  {
    operation: Type.String({
      pattern: "^[a-z][a-z-]{0,63}$",
      description: "disconnect, reconnect, arm, limiter, or another of GET /operations",
    }),
    parameters: Type.Optional(
      Type.Record(Type.String({ maxLength: 64 }), Type.Unknown(), { description: "As the operation describes them" }),
    ),
    selection: Selection,
    look: Type.Optional(
      Type.Boolean({
        description:
          "true: speak with each meter and change nothing; its targets say what a run would change. Nobody has to approve that",
      }),
    ),
    reason: words(COMMAND_REASONS),
    note: Type.Optional(PlainText({ maxLength: 400, description: "In words, for those who approve" })),
    workOrder: Type.Optional(PlainText({ maxLength: 128, description: "Of the billing system" })),
    urgency: Type.Optional(
      words(
        URGENCIES,
        "emergency: all at once, without waves; three people approve what takes off from several, or what no work order stands behind (reason grid). Every cap stays, and so does the calendar for what is no matter of safety or the grid",
      ),
    ),
    notBefore: Type.Optional(Timestamp),
    hours: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 168,
        description: "How long it may be done, from notBefore; default 4",
      }),
    ),
  },
  { additionalProperties: false },
);
export type CommandOrder = Static<typeof CommandOrder>;

/** What a rule of the guard found. `stop`: for good; `quarantine`: another person may release it; `warn`: it is said. */
export const FINDING_EFFECTS = ["stop", "quarantine", "warn"] as const;
export const Finding = Type.Object({
  rule: Type.String({ pattern: "^MC-\\d{2}$", description: "Its id; GET /rules explains it" }),
  effect: words(FINDING_EFFECTS),
  about: words(["request", "meters"], "meters: only these are set aside"),
  sentence: Type.String(),
  meters: Type.Integer({ description: "How many it is about" }),
  loadW: Watts("What these draw"),
  sample: Type.Array(SystemTitleText, { maxItems: 20 }),
  releasable: Type.Boolean({ description: "Whether another person may waive it" }),
});
export type Finding = Static<typeof Finding>;

const Share = Type.Object({
  id: Type.String(),
  meters: Type.Integer({ description: "Of this request" }),
  of: Type.Integer({ description: "Meters there are" }),
  loadW: Watts("What these draw"),
});

/** What would happen, without anything happening. */
export const DryRun = Type.Object({
  words: Type.String({ description: "The operation, as those who approve read it" }),
  commandClass: words(["C0", "C1", "C2", "C3"]),
  direction: words(
    ["off", "on", "feed-off", "feed-on", "none"],
    "off and on: load taken off the grid and given back; feed-off and feed-on: injection; each is counted for itself",
  ),
  selected: Type.Integer(),
  targets: Type.Integer({ description: "Left after what is set aside" }),
  loadAtRiskW: Watts("What the targets draw: what could be switched off"),
  people: Type.Integer({ description: "How many have to approve it" }),
  doubted: Type.Optional(
    Type.Integer({ description: "Of the targets: how many are not believed, their trust scores being low" }),
  ),
  transformers: Type.Array(Share, { maxItems: 200 }),
  feeders: Type.Array(Share, { maxItems: 200 }),
  waves: Type.Array(Type.Object({ targets: Type.Integer(), soakSeconds: Type.Integer() })),
  lastAt: Timestamp,
  findings: Type.Array(Finding),
  leftOut: Type.Array(
    Type.Object({ reason: Type.String(), meters: Type.Integer() }, { description: "Selected but not in service" }),
  ),
  verdict: words(["goes-on", "quarantined", "nothing-left"]),
});
export type DryRun = Static<typeof DryRun>;

export const CAMPAIGN_STATES = [
  "quarantined",
  "awaiting-approval",
  "running",
  "paused",
  "stopped",
  "done",
  "expired",
] as const;
export type CampaignState = (typeof CAMPAIGN_STATES)[number];

export const TARGET_STATES = [
  "waiting",
  "dispatched",
  "attempted",
  "done",
  "refused",
  "failed",
  "stale",
  "uncertain",
  "stopped",
  "quarantined",
] as const;
export type TargetState = (typeof TARGET_STATES)[number];

const TargetCounts = Type.Object(
  Object.fromEntries(TARGET_STATES.map((state) => [state, Type.Integer()])) as Record<
    TargetState,
    ReturnType<typeof Type.Integer>
  >,
);

export const CampaignSummary = Type.Object({
  id: Identifier,
  operation: Type.String(),
  words: Type.String(),
  state: words(CAMPAIGN_STATES),
  sentence: Type.String({ description: "Why it is in this state" }),
  requester: Type.String(),
  reason: words(COMMAND_REASONS),
  urgency: words(URGENCIES),
  createdAt: Timestamp,
  notBefore: Timestamp,
  notAfter: Timestamp,
  targets: Type.Integer(),
  loadAtRiskW: Watts("Of its targets"),
  counts: TargetCounts,
});
export type CampaignSummary = Static<typeof CampaignSummary>;
export const CampaignList = Type.Object({ campaigns: Type.Array(CampaignSummary) });
export type CampaignList = Static<typeof CampaignList>;

export const CampaignView = Type.Object({
  campaign: CampaignSummary,
  note: Type.String(),
  workOrder: Type.String(),
  parameters: Type.Record(Type.String(), Type.Unknown()),
  selection: Selection,
  releasedFrom: Type.Optional(Identifier),
  releasedBy: Type.Optional(Type.String()),
  dryRun: DryRun,
  manifest: Type.Optional(
    Type.Object({
      hash: Type.String({ description: "SHA-384: what people sign" }),
      approvedBy: Type.Array(Type.String()),
      people: Type.Integer(),
      missing: Type.Optional(Type.String()),
      page: Type.Optional(Type.String({ description: "Where it is signed: the custodian's own page" })),
    }),
  ),
  waves: Type.Array(
    Type.Object({
      number: Type.Integer(),
      targets: Type.Integer(),
      soakSeconds: Type.Integer(),
      state: words(["ahead", "under-way", "watched", "passed", "stopped"]),
      begunAt: Type.Optional(Timestamp),
      counts: TargetCounts,
    }),
  ),
  history: Type.Array(Type.Object({ at: Timestamp, by: Type.String(), what: Type.String(), sentence: Type.String() }), {
    description: "Everything that was decided, oldest first",
  }),
});
export type CampaignView = Static<typeof CampaignView>;

export const CampaignTarget = Type.Object({
  meter: SystemTitleText,
  label: Type.String(),
  feeder: Type.String(),
  transformer: Type.String(),
  loadW: Watts("What it draws"),
  wave: Type.Integer(),
  state: words(TARGET_STATES),
  rule: Type.Optional(Type.String({ description: "MC id that set it aside or stopped it" })),
  sentence: Type.String(),
  dueAt: Type.Optional(Timestamp),
  attemptedAt: Type.Optional(Timestamp),
  settledAt: Type.Optional(Timestamp),
  supply: Type.Optional(Type.String({ description: "As read back" })),
  powerW: Type.Optional(Type.Number({ description: "As read back" })),
  session: Type.Optional(Identifier),
});
export type CampaignTarget = Static<typeof CampaignTarget>;
/** A meter of a campaign, with what it said. */
export const CampaignTargetDetail = Type.Object({
  target: CampaignTarget,
  losses: Type.Integer({ description: "How often the line was lost and it was tried again" }),
  facts: Type.Array(
    Type.Object({
      name: Type.String(),
      object: Type.String({ description: "Logical name and attribute" }),
      before: Type.Optional(Type.String({ description: "What it was before this campaign" })),
      wanted: Type.Optional(Type.String()),
      found: Type.String({ description: "As read back" }),
      holds: Type.Boolean({ description: "Whether it is as wanted" }),
      evidence: Type.String({ description: "SHA-256 of the octets that say so; they stand in the session" }),
    }),
  ),
  data: Type.Optional(Type.Unknown({ description: "What was read, where reading was the point" })),
});
export type CampaignTargetDetail = Static<typeof CampaignTargetDetail>;

/** What a parameter is, so that a form can be made of it; the operation itself reads it once more. */
export type ParameterShape =
  | { readonly kind: "text"; readonly most: number }
  | { readonly kind: "pattern"; readonly pattern: string; readonly what: string }
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "whole"; readonly min: number; readonly max: number }
  | { readonly kind: "truth" }
  | { readonly kind: "time"; readonly as: "text" | "milliseconds" }
  | { readonly kind: "list"; readonly min: number; readonly most: number; readonly of: ParameterShape }
  | { readonly kind: "object"; readonly fields: readonly NamedShape[] }
  | { readonly kind: "tagged"; readonly cases: readonly NamedShape[] }
  | { readonly kind: "optional"; readonly of: ParameterShape };
export interface NamedShape {
  readonly name: string;
  readonly of: ParameterShape;
}

/** An operation on meters, as it is asked for. */
export const OperationView = Type.Object({
  name: Type.String(),
  words: Type.String({ description: "What it does, for people" }),
  changes: Type.Boolean({ description: "False where it only reads: nobody has to approve that" }),
  profiles: Type.Array(Type.String(), { description: "Meter profiles that have the objects for it" }),
  example: Type.Record(Type.String(), Type.Unknown(), { description: "Parameters that it takes, to start from" }),
  shape: Type.Unsafe<ParameterShape>({
    type: "object",
    additionalProperties: true,
    description:
      "What its parameters are: `kind` (text, pattern, words, whole, truth, time, list, object, tagged, optional) and what belongs to it",
  }),
});
export type OperationView = Static<typeof OperationView>;
export const OperationList = Type.Object({ operations: Type.Array(OperationView) });
export type OperationList = Static<typeof OperationList>;

export const CampaignTargetList = Type.Object({ targets: Type.Array(CampaignTarget) });
export type CampaignTargetList = Static<typeof CampaignTargetList>;

/** Why a person does what they do: kept in the campaign's history and in the ledger. */
export const Decision = Type.Object(
  { reason: PlainText({ minLength: 1, maxLength: 400 }) },
  { additionalProperties: false },
);
export type Decision = Static<typeof Decision>;

export const QUARANTINE_STATES = ["waiting", "released", "discarded"] as const;
/** Something that the guard refused: kept, explained, whose it was. */
export const QuarantineItem = Type.Object({
  id: Identifier,
  campaign: Identifier,
  operation: Type.String(),
  words: Type.String(),
  requester: Type.String(),
  rules: Type.Array(Type.String()),
  sentence: Type.String(),
  meters: Type.Integer(),
  loadW: Watts("What these draw"),
  sample: Type.Array(SystemTitleText, { maxItems: 20 }),
  at: Timestamp,
  state: words(QUARANTINE_STATES),
  releasable: Type.Boolean({ description: "False where no person can waive the rule: mend the cause and ask anew" }),
  decidedBy: Type.Optional(Type.String()),
  decidedAt: Type.Optional(Timestamp),
  decision: Type.Optional(Type.String()),
  releasedAs: Type.Optional(Identifier),
});
export type QuarantineItem = Static<typeof QuarantineItem>;
export const QuarantineList = Type.Object({ items: Type.Array(QuarantineItem) });
export type QuarantineList = Static<typeof QuarantineList>;

/** The last time that a rule refused something. */
export const Refusal = Type.Object({
  at: Timestamp,
  sentence: Type.String(),
  by: Type.String({ description: "Who had asked: a person, a machine or a process" }),
  meters: Type.Integer(),
  campaign: Type.Optional(Identifier),
});
export type Refusal = Static<typeof Refusal>;

/** The rules of the guard, with what holds now. */
export const RuleList = Type.Object({
  rules: Type.Array(
    Type.Object({
      id: Type.String(),
      title: Type.String(),
      words: Type.String(),
      enforced: words(
        ["custodian", "head-end", "both"],
        "Who holds to it; what the custodian enforces holds without us",
      ),
      now: Type.String({ description: "The numbers that hold now" }),
      releasable: Type.Boolean({ description: "Whether another person may waive what it found" }),
      last: Type.Optional(Refusal),
    }),
  ),
  frozen: Type.Optional(Type.Object({ since: Timestamp, by: Type.String(), reason: Type.String() })),
});
export type RuleList = Static<typeof RuleList>;

/** The policy service of this head-end: what the custodian has to know of it before a token is worth anything. */
export const PolicyServiceView = Type.Object({
  name: Type.String(),
  publicKey: Type.String({ description: "SPKI, lower-case hex: for the change enrol-policy-service" }),
  enrolled: Type.Boolean(),
});
export type PolicyServiceView = Static<typeof PolicyServiceView>;

/** A site that is never switched off (MC-09). */
export const PROTECTED_KINDS = ["life-support", "hospital", "traffic", "communication", "other"] as const;
export const ProtectedSite = Type.Object({
  meter: SystemTitleText,
  kind: words(PROTECTED_KINDS),
  note: Type.String(),
  setBy: Type.String(),
  setAt: Timestamp,
});
export type ProtectedSite = Static<typeof ProtectedSite>;
export const ProtectedSiteList = Type.Object({ sites: Type.Array(ProtectedSite) });
export type ProtectedSiteList = Static<typeof ProtectedSiteList>;
export const ProtectSite = Type.Object(
  { meter: SystemTitleText, kind: words(PROTECTED_KINDS), note: Type.Optional(PlainText({ maxLength: 200 })) },
  { additionalProperties: false },
);
export type ProtectSite = Static<typeof ProtectSite>;

/** What is not plausible in what meters say. */
import { type Static, Type } from "typebox";
import { STANDINGS } from "./reading.ts";
import { METER_KINDS, PlainText, SystemTitleText, Timestamp, words } from "./scalars.ts";

export const PLAUSIBILITY_SEVERITIES = ["info", "warn", "alert", "critical"] as const;

export const PlausibilityQuery = Type.Object(
  {
    meter: Type.Optional(SystemTitleText),
    rule: Type.Optional(Type.String({ maxLength: 16, description: "`P-1` to `P-17`, or `score`" })),
    disputes: Type.Optional(Type.Boolean({ description: "Only what disputes values; all unless told" })),
    before: Type.Optional(Type.Integer({ minimum: 1, description: "Findings with a lower number" })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: "200 unless given" })),
  },
  { additionalProperties: false },
);
export type PlausibilityQuery = Static<typeof PlausibilityQuery>;

export const PlausibilityFindingView = Type.Object({
  number: Type.Integer({ description: "Of this finding: later ones have higher numbers" }),
  rule: Type.String({ description: "`P-1` to `P-17` (docs/rules.md); `score`: its score is below 40" }),
  words: Type.String({ description: "What the rule expects" }),
  meter: Type.Optional(SystemTitleText),
  about: Type.String({ description: "The meter, the transformer, or what a cohort has in common" }),
  from: Timestamp,
  to: Timestamp,
  stretches: Type.Optional(
    Type.Array(Type.Object({ from: Timestamp, to: Timestamp }), {
      description: "The parts of that time that it is about, where it is not all of it: behind `from`, up to `to`",
    }),
  ),
  concerns: Type.Optional(words(["intervals", "registers", "quality"], "The rows that it is about; all where absent")),
  foundAt: Timestamp,
  severity: words(PLAUSIBILITY_SEVERITIES),
  confidence: Type.Number({ minimum: 0, maximum: 1 }),
  disputes: Type.Boolean({ description: "The meter's values of that time are disputed by it" }),
  standing: words(STANDINGS, "Of the values of that time: disputed until somebody has settled all of it"),
  decision: Type.Optional(
    Type.Object(
      { verdict: words(["accepted", "rejected"]), by: Type.String(), at: Timestamp, reason: Type.String() },
      { description: "The newest about it" },
    ),
  ),
  sentence: Type.String(),
  data: Type.Record(Type.String(), Type.Union([Type.Number(), Type.String()]), {
    description: "The numbers that it rests on",
  }),
});
export type PlausibilityFindingView = Static<typeof PlausibilityFindingView>;

/** So many days of meters are settled in one go. */
export const MOST_SETTLED_METER_DAYS = 16_000;

/** What somebody decides about values that are in dispute: of meters, and of a time at the source. */
export const DisputeSettlement = Type.Object(
  {
    verdict: words(["accepted", "rejected"], "accepted: decisions may use them; rejected: they may not, for good"),
    meters: Type.Array(SystemTitleText, { minItems: 1, maxItems: 500, uniqueItems: true }),
    from: Timestamp,
    to: Timestamp,
    rule: Type.Optional(
      Type.String({
        maxLength: 16,
        description: "Only what findings of this rule dispute; else also other values that came for an instant",
      }),
    ),
    reason: PlainText({ minLength: 1, maxLength: 400 }),
    dryRun: Type.Optional(Type.Boolean({ description: "Only say what it would change" })),
    digest: Type.Optional(
      Type.String({
        maxLength: 160,
        description: "As the dry run that somebody has looked at said it. Needed unless this is one",
      }),
    ),
  },
  { additionalProperties: false },
);
export type DisputeSettlement = Static<typeof DisputeSettlement>;

export const SettledDisputes = Type.Object({
  verdict: words(["accepted", "rejected"]),
  dryRun: Type.Boolean(),
  digest: Type.String({
    description: "Of all that is in dispute there and how it stands: to settle what was looked at, and nothing else",
  }),
  meters: Type.Array(
    Type.Object({
      meter: SystemTitleText,
      label: Type.String(),
      intervals: Type.Integer({ description: "Values that stand otherwise after it" }),
      registers: Type.Integer(),
      powerQuality: Type.Integer({ description: "Rows" }),
      disputes: Type.Integer({ description: "Findings and contradicting answers that it settles" }),
    }),
  ),
});
export type SettledDisputes = Static<typeof SettledDisputes>;

export const PlausibilityView = Type.Object({
  findings: Type.Array(PlausibilityFindingView, { description: "The newest first" }),
  older: Type.Integer({ description: "How many more there are: `before` is the number of the last of these" }),
  scores: Type.Array(
    Type.Object({
      meter: SystemTitleText,
      label: Type.String(),
      score: Type.Number({ description: "Of 100; below 40 its data is disputed, below 20 somebody has to go there" }),
    }),
    { description: "The lowest first, of the meters that these findings are about" },
  ),
  days: Type.Array(
    Type.Object({
      kind: words(METER_KINDS),
      day: Type.String({ description: "As 2026-11-20" }),
      meters: Type.Integer(),
      findings: Type.Integer(),
      cpuMilliseconds: Type.Integer({ description: "Of the head-end" }),
    }),
    { description: "Days that were judged lately" },
  ),
  rereads: Type.Object(
    { asked: Type.Integer(), same: Type.Integer(), differs: Type.Integer(), unanswered: Type.Integer() },
    { description: "Meters' days that were asked for again (P-14)" },
  ),
});
export type PlausibilityView = Static<typeof PlausibilityView>;

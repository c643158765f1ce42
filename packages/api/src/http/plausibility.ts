/** What is not plausible in what meters say. */
import { type Static, Type } from "typebox";
import { METER_KINDS, SystemTitleText, Timestamp, words } from "./scalars.ts";

export const PLAUSIBILITY_SEVERITIES = ["info", "warn", "alert", "critical"] as const;

export const PlausibilityQuery = Type.Object(
  {
    meter: Type.Optional(SystemTitleText),
    rule: Type.Optional(Type.String({ maxLength: 16, description: "`P-1` to `P-17`, or `score`" })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: "200 unless given" })),
  },
  { additionalProperties: false },
);
export type PlausibilityQuery = Static<typeof PlausibilityQuery>;

export const PlausibilityFindingView = Type.Object({
  rule: Type.String({ description: "`P-1` to `P-17` (docs/rules.md); `score`: its score is below 40" }),
  words: Type.String({ description: "What the rule expects" }),
  meter: Type.Optional(SystemTitleText),
  about: Type.String({ description: "The meter, the transformer, or what a cohort has in common" }),
  from: Timestamp,
  to: Timestamp,
  foundAt: Timestamp,
  severity: words(PLAUSIBILITY_SEVERITIES),
  confidence: Type.Number({ minimum: 0, maximum: 1 }),
  disputes: Type.Boolean({ description: "The meter's values of that time are disputed by it" }),
  sentence: Type.String(),
  data: Type.Record(Type.String(), Type.Union([Type.Number(), Type.String()]), {
    description: "The numbers that it rests on",
  }),
});
export type PlausibilityFindingView = Static<typeof PlausibilityFindingView>;

export const PlausibilityView = Type.Object({
  findings: Type.Array(PlausibilityFindingView, { description: "The newest first" }),
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

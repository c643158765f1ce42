/** The service level of reading: how much of a day is held, whether it was in time, and what is missing. */
import { type Static, Type } from "typebox";
import { METER_KINDS, SystemTitleText, Timestamp, words } from "./scalars.ts";

const Day = Type.String({
  pattern: "^\\d{4}-\\d{2}-\\d{2}$",
  description: "A day at the source in the utility's time zone, as 2026-11-20",
});
const Kind = words(METER_KINDS, "Simulated meters live in the town's time, real ones in ours");

const share = Type.Number({
  minimum: 0,
  maximum: 1,
  description: "Held of wanted that is not excused; 1 where nothing is",
});
const intervals = {
  wanted: Type.Integer({ description: "Intervals that have ended and settled" }),
  held: Type.Integer({ description: "The values are there: of every channel, where none is named" }),
  excused: Type.Integer({ description: "Without a value, and the meter says that it had no power" }),
  absent: Type.Integer({ description: "Asked for twice, answered without a value, and nobody knows why" }),
  missing: Type.Integer({ description: "Not answered yet, or not often enough: it is asked for" }),
};
const counts = {
  meters: Type.Integer({ description: "In service, and of a kind that this head-end reads" }),
  complete: Type.Integer({ description: "Of them, those of which nothing is missing or absent" }),
  ...intervals,
  share,
};

export const SLA_TARGET_STATES = ["met", "open", "missed"] as const;

export const SlaTarget = Type.Object({
  share,
  dueAt: Timestamp,
  state: words(
    SLA_TARGET_STATES,
    "met: so much was held in time, or is held before the time; open: not yet, and there is time; missed: it was not held in time",
  ),
  counted: Type.Optional(
    Type.Object(
      { at: Timestamp, held: Type.Integer(), wanted: Type.Integer(), excused: Type.Integer() },
      { description: "At the deadline" },
    ),
  ),
});
export type SlaTarget = Static<typeof SlaTarget>;

export const SlaQuery = Type.Object(
  {
    kind: Type.Optional(Kind),
    day: Type.Optional(Day),
  },
  { additionalProperties: false },
);
export type SlaQuery = Static<typeof SlaQuery>;

/** How far a network's budgets are used (MC-23). */
export const SimBudgetUse = Type.Object({
  network: Type.String({ description: "lan, cellular, nb-iot or plc" }),
  month: Type.String({ description: "As 2026-11, UTC" }),
  budgetOctets: Type.Integer({ description: "What the SIM of one meter may carry in the month" }),
  sims: Type.Integer({ description: "SIMs that have carried something this month" }),
  usedUp: Type.Integer({
    description: "Of them, those whose budget is used up: they are read again next month, or on demand",
  }),
  octets: Type.Integer({ description: "What all of them have carried" }),
  mostOctets: Type.Integer({ description: "What one has carried most" }),
});
export type SimBudgetUse = Static<typeof SimBudgetUse>;

export const SlaBoard = Type.Object({
  asOf: Timestamp,
  kind: Kind,
  day: Day,
  timeZone: Type.String({ description: "Of the day and its deadlines: an IANA name" }),
  sourceNow: Type.String({ format: "date-time", description: "The time at the source: deadlines count by it" }),
  ...counts,
  powerQuality: Type.Optional(
    Type.Object(intervals, {
      description:
        "Of the profiles of power quality, whose days are collected when they have ended (UTC); absent where they are not. No target is about them",
    }),
  ),
  channels: Type.Array(Type.Object({ obis: Type.String(), ...intervals }), {
    description: "The same by channel of the load profiles",
  }),
  notInService: Type.Integer({ description: "Meters whose takeover is not done: nothing is wanted of them yet" }),
  unreadable: Type.Integer({ description: "Meters of a profile that this head-end does not know how to read" }),
  targets: Type.Array(SlaTarget),
  simBudgets: Type.Array(SimBudgetUse, { description: "Of networks that have a budget" }),
  feeders: Type.Array(Type.Object({ feeder: Type.Optional(Type.String()), ...counts }), {
    description: "The same by feeder, the worst first",
  }),
  history: Type.Array(
    Type.Object({
      day: Day,
      target: share,
      dueAt: Timestamp,
      countedAt: Timestamp,
      held: Type.Integer(),
      wanted: Type.Integer(),
      excused: Type.Integer(),
      absent: Type.Integer(),
      met: Type.Boolean(),
    }),
    { description: "What was held at the deadlines of the last days, newest first" },
  ),
});
export type SlaBoard = Static<typeof SlaBoard>;

export const SlaGapQuery = Type.Object(
  {
    kind: Type.Optional(Kind),
    day: Type.Optional(Day),
    after: Type.Optional(Type.String({ pattern: "^[0-9]{1,10}$", description: "`next` of the page before" })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5_000 })),
  },
  { additionalProperties: false },
);
export type SlaGapQuery = Static<typeof SlaGapQuery>;

const gaps = {
  missing: Type.Integer({ description: "Intervals" }),
  gaps: Type.Array(
    Type.Object({
      from: Type.String({
        format: "date-time",
        description: "Exclusive: the end of the last interval that is held",
      }),
      to: Type.String({
        format: "date-time",
        description: "Inclusive: the end of the last interval that is missing",
      }),
    }),
  ),
};

export const SlaGapList = Type.Object({
  kind: Kind,
  day: Day,
  meters: Type.Array(
    Type.Object({
      systemTitle: SystemTitleText,
      label: Type.String(),
      feeder: Type.Optional(Type.String()),
      ...gaps,
      quality: Type.Optional(Type.Object(gaps, { description: "The same of its power quality, where it lacks any" })),
      lastCode: Type.Optional(Type.String({ description: "Error code of the session that failed last" })),
      attempts: Type.Integer({ description: "Failures in a row" }),
      dueAt: Type.Optional(Timestamp),
    }),
  ),
  next: Type.Optional(Type.String({ description: "There is more: ask again with it as `after`" })),
});
export type SlaGapList = Static<typeof SlaGapList>;

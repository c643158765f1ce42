/** The first thing anyone sees: the grid, every meter in one line, and what needs attention. */
import { type Static, Type } from "typebox";
import { CustodianSummary } from "./custodian.ts";
import {
  METER_KINDS,
  Protection,
  SUPPLY_STATES,
  SystemTitleText,
  TAKEOVER_STAGES,
  TakeoverStageName,
  Timestamp,
  TRUST_STATES,
  TrustState,
  words,
} from "./scalars.ts";

/** Time at the meters: the town's may run faster than the wall clock, and the page must say so. */
export const ClockView = Type.Object({
  now: Timestamp,
  wallNow: Timestamp,
  factor: Type.Number({ description: "Seconds at the simulated meters per second on the wall" }),
  simulated: Type.Boolean(),
});
export type ClockView = Static<typeof ClockView>;

export const METER_PATHS = ["wan", "depot"] as const;

export const GridView = Type.Object({
  substation: Type.Object({ id: Type.String(), name: Type.String() }),
  feeders: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      path: words(METER_PATHS, "Where the feeder's meters are taken over: in the field, or in the shielded depot"),
      transformer: Type.Object({
        id: Type.String(),
        meter: Type.Optional(SystemTitleText),
        ratedKva: Type.Number(),
      }),
      homes: Type.Array(SystemTitleText),
    }),
  ),
});
export type GridView = Static<typeof GridView>;

/** One meter in one line. `event: meter` on the stream carries the same object whenever it changes. */
export const MeterSummary = Type.Object({
  systemTitle: SystemTitleText,
  label: Type.String(),
  kind: words(METER_KINDS),
  role: words(["home", "transformer", "attached"]),
  profile: Type.String({ description: "Companion profile, for example idis-p2" }),
  feeder: Type.Optional(Type.String()),
  transformer: Type.Optional(Type.String()),
  takeover: TakeoverStageName,
  takeoverPhase: Type.String({ description: "The custodian's own word for the step it is at" }),
  trust: TrustState,
  trustSentence: Type.String({ description: "Why it is in this state, in one sentence" }),
  supply: words(SUPPLY_STATES),
  powerW: Type.Optional(
    Type.Number({ description: "Power of the newest reading, W: drawn from the grid less fed into it" }),
  ),
  energyWh: Type.Optional(Type.Number({ description: "Import register, Wh" })),
  lastReadingAt: Type.Optional(Timestamp),
  lastReadingEvidence: Type.Optional(Type.String({ description: "Evidence hash of the newest value" })),
  lastContactAt: Type.Optional(Timestamp),
  protection: Type.Optional(Protection),
  authenticated: Type.Boolean({ description: "The newest value came in octets whose tag was verified" }),
  stale: Type.Boolean({ description: "Nothing was heard for longer than this meter's reading period allows" }),
});
export type MeterSummary = Static<typeof MeterSummary>;

const tally = (names: readonly string[]) =>
  Type.Object(Object.fromEntries(names.map((name) => [name, Type.Integer()])));

export const OverviewCounts = Type.Object({
  meters: Type.Integer(),
  simulated: Type.Integer(),
  real: Type.Integer(),
  atTransformers: Type.Integer({
    description: "Meters of transformers, which measure what a feeder takes and no home",
  }),
  connected: Type.Integer(),
  disconnected: Type.Integer(),
  stale: Type.Integer(),
  strangers: Type.Integer({ description: "Senders whose system title nobody has shipped or added" }),
  intervalsTrusted: Type.Integer({ description: "Stored intervals that decisions may use now" }),
  intervalsAll: Type.Integer(),
  sessionsToday: Type.Integer(),
  byTrust: tally(TRUST_STATES),
  byTakeover: tally(TAKEOVER_STAGES),
});
export type OverviewCounts = Static<typeof OverviewCounts>;

export const Warning = Type.Object({
  code: Type.String(),
  text: Type.String(),
  fix: Type.String({ description: "What to do, often a command" }),
});
export type Warning = Static<typeof Warning>;

/** A feeder in one line, where there are too many meters for a line of each. */
export const FeederLine = Type.Object({
  id: Type.String(),
  name: Type.String(),
  homes: Type.Integer(),
  connected: Type.Integer(),
  disconnected: Type.Integer(),
  stale: Type.Integer(),
  quarantined: Type.Integer({ description: "Meters that lost their trust, or never gained it" }),
  transformerMeter: Type.Optional(SystemTitleText),
  loadW: Type.Optional(Type.Number({ description: "Power of its transformer meter's newest reading, W" })),
  loadAt: Type.Optional(Timestamp),
  loadTrust: Type.Optional(TrustState),
});
export type FeederLine = Static<typeof FeederLine>;

/** So many meters an overview tells one by one; of a larger fleet it has feeders, and `/meters` the meters, a page at a time. */
export const OVERVIEW_MOST_METERS = 10_000;

export const Overview = Type.Object({
  asOf: Timestamp,
  lastEventId: Type.String({ description: "Open the event stream with this as Last-Event-ID and miss nothing" }),
  clock: ClockView,
  grid: Type.Optional(GridView),
  meters: Type.Array(MeterSummary, {
    description: `A line of each meter; empty, as is the grid, where there are more than ${OVERVIEW_MOST_METERS}`,
  }),
  feeders: Type.Optional(
    Type.Array(FeederLine, { description: "In place of grid and meters, where there are so many" }),
  ),
  counts: OverviewCounts,
  warnings: Type.Array(Warning),
  custodian: CustodianSummary,
});
export type Overview = Static<typeof Overview>;

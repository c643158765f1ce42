/** What could be switched off at most, by whom, and how long what matters takes. */
import { type Static, Type } from "typebox";
import { Identifier, Timestamp, Watts, words } from "./scalars.ts";

/** How much somebody or something could switch off under the caps. */
export const REACH_KINDS = [
  "person",
  "pair",
  "worker",
  "handheld",
  "key",
  "island",
  "policy-service",
  "firmware",
  "manufacturer",
  "authority",
] as const;
export const Reach = Type.Object({
  kind: words(REACH_KINDS),
  name: Type.String(),
  sentence: Type.String({ description: "What it takes, and what holds it" }),
  meters: Type.Integer({ description: "In 24 hours" }),
  metersInTenMinutes: Type.Integer(),
  loadW: Watts("Of the largest loads among them"),
  minutes: Type.Integer({ description: "Until all of them are reached" }),
  share: Type.Number({ description: "Of the island's meters, 0 to 1" }),
  bounds: Type.Array(Type.String(), { description: "The rules that bound it" }),
  drill: Type.Optional(
    Type.Object({ id: Identifier, at: Timestamp, sentence: Type.String() }, { description: "The last that proved it" }),
  ),
  undrilled: Type.Optional(Type.String({ description: "Why no drill can prove it" })),
});
export type Reach = Static<typeof Reach>;
export const BlastRadius = Type.Object({
  asOf: Timestamp,
  meters: Type.Integer(),
  loadW: Watts("What the island draws"),
  used: Type.Object(
    {
      day: Type.Integer(),
      dayCap: Type.Integer(),
      tenMinutes: Type.Integer(),
      tenMinutesCap: Type.Integer(),
    },
    { description: "What counts against the custodian's own caps now" },
  ),
  largestFeederShare: Type.Number({ description: "The most of one feeder's load that the caps let go, 0 to 1" }),
  reach: Type.Array(Reach),
  parts: Type.Array(
    Type.Object({
      kind: words(["feeder", "transformer"]),
      id: Type.String(),
      meters: Type.Integer(),
      loadW: Watts("What its homes draw"),
      mostMeters: Type.Integer({ description: "That can be switched off in an hour, whoever asks" }),
      mostLoadW: Watts("That can be switched off in an hour"),
      share: Type.Number({ description: "Of its load, 0 to 1" }),
    }),
    { maxItems: 200, description: "Feeders and transformers: what each can lose under the caps" },
  ),
  times: Type.Object(
    {
      cut: Type.Optional(
        Type.Object(
          {
            at: Timestamp,
            freezeMilliseconds: Type.Optional(Type.Integer({ description: "From the call to the custodian's word" })),
            afterAlarmSeconds: Type.Optional(Type.Integer({ description: "Since the alarm before it" })),
            afterFirstActMilliseconds: Type.Optional(
              Type.Integer({ description: "In a drill: since the thief's first act was seen" }),
            ),
            drill: Type.Optional(Identifier),
          },
          { description: "The last time that everything was frozen from here (TTC)" },
        ),
      ),
      rekey: Type.Optional(
        Type.Object(
          { metersAnHour: Type.Integer(), minutes: Type.Integer() },
          { description: "New keys for everybody, at the best rate that was seen here (RKT)" },
        ),
      ),
      autonomyHours: Type.Optional(
        Type.Integer({ description: "So long do meters keep 95 % of their readings while nobody reads them" }),
      ),
    },
    { description: "How long things take, as measured here; what was never measured is absent" },
  ),
});
export type BlastRadius = Static<typeof BlastRadius>;

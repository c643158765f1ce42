/** The break-in drill: what a thief with the head-end's credentials gets when he asks the custodian. */
import { type Static, Type } from "typebox";
import { Identifier, Octets, SUPPLY_STATES, SystemTitleText, Timestamp, words } from "./scalars.ts";
import { DecodedLine } from "./session.ts";

export const DRILL_STATES = ["starting", "asking", "reading-back", "done", "failed"] as const;
export type DrillState = (typeof DRILL_STATES)[number];

export const DrillItem = Type.Object({
  meter: Type.Optional(SystemTitleText),
  ask: Type.String({ description: "What was asked for, in words" }),
  apdu: Type.Optional(Octets),
  decoded: Type.Optional(Type.Array(DecodedLine)),
  outcome: words(["sealed", "refused", "failed"]),
  code: Type.Optional(Type.String({ description: "The custodian's refusal, for example command-token-missing" })),
  message: Type.Optional(Type.String()),
  supply: Type.Optional(words(SUPPLY_STATES, "Read back from the meter afterwards")),
  onItsWay: Type.Optional(
    Type.Boolean({
      description:
        "It was still being taken over, or had not come from the depot: it is read back as soon as it answers",
    }),
  ),
  supplySession: Type.Optional(Type.String({ description: "Session that read the disconnect control back" })),
});
export type DrillItem = Static<typeof DrillItem>;

export const DrillReport = Type.Object({
  id: Identifier,
  state: words(DRILL_STATES),
  startedAt: Timestamp,
  endedAt: Type.Optional(Timestamp),
  principal: Type.String({ description: "Whose credentials were used" }),
  asked: Type.Integer(),
  sealed: Type.Integer(),
  refused: Type.Integer(),
  dark: Type.Integer({ description: "Homes whose supply was read back as disconnected" }),
  readBack: Type.Integer({ description: "Homes whose supply was read back at all" }),
  onItsWay: Type.Optional(
    Type.Integer({
      description:
        "Homes whose meter is still being taken over or has not come from the depot; they are read back when it is there",
    }),
  ),
  cut: Type.Optional(
    Type.Object(
      {
        freezeMilliseconds: Type.Integer({ description: "From the call to the custodian's word" }),
        afterFirstActMilliseconds: Type.Integer({ description: "Since the thief's first act was seen" }),
      },
      { description: "Where the drill threw the kill switch: how long the cut took. Two people thaw it" },
    ),
  ),
  sentence: Type.String({ description: "For example 201 asked, 0 sealed, 0 homes dark" }),
  failure: Type.Optional(Type.String()),
  items: Type.Array(DrillItem),
});
export type DrillReport = Static<typeof DrillReport>;

export const DrillStarted = Type.Object({ drill: Identifier });
export type DrillStarted = Static<typeof DrillStarted>;
export const DrillList = Type.Object({ drills: Type.Array(Type.Omit(DrillReport, ["items"])) });
export type DrillList = Static<typeof DrillList>;

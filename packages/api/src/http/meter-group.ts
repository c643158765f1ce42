/** Groups of meters, which a command can be asked for by their name. */
import { type Static, Type } from "typebox";
import { Name64, PlainText, SystemTitleText, Timestamp, words } from "./scalars.ts";

/** Meters under a name. Who is in it counts when a command is asked for: what people approve is the list that it was then. */
export const MeterGroup = Type.Object({
  name: Name64,
  note: Type.String(),
  meters: Type.Integer({ description: "How many" }),
  setBy: Type.String(),
  setAt: Timestamp,
});
export type MeterGroup = Static<typeof MeterGroup>;
/** By what of themselves meters are selected, beside groups. */
export const SELECTABLE_BY = ["feeder", "transformer", "profile", "model", "firmware"] as const;
export const MeterGroupList = Type.Object({
  groups: Type.Array(MeterGroup),
  kinds: Type.Array(
    Type.Object({
      kind: words(SELECTABLE_BY),
      id: Type.String({ description: "As a selection names it" }),
      name: Type.String({ description: "As people call it" }),
      meters: Type.Integer({ description: "How many" }),
    }),
    { maxItems: 2000, description: "What meters have in common: each can be selected by it" },
  ),
});
export type MeterGroupList = Static<typeof MeterGroupList>;

export const SetMeterGroup = Type.Object(
  {
    meters: Type.Array(SystemTitleText, { minItems: 1, maxItems: 20_000 }),
    note: Type.Optional(PlainText({ maxLength: 400 })),
    more: Type.Optional(Type.Boolean({ description: "true: besides those who are in it already" })),
  },
  { additionalProperties: false },
);

/** Groups of meters, which a command can be asked for by their name. */
import { type Static, Type } from "typebox";
import { Name64, PlainText, SystemTitleText, Timestamp } from "./scalars.ts";

/** Meters under a name. Who is in it counts when a command is asked for: what people approve is the list that it was then. */
export const MeterGroup = Type.Object({
  name: Name64,
  note: Type.String(),
  meters: Type.Integer({ description: "How many" }),
  setBy: Type.String(),
  setAt: Timestamp,
});
export type MeterGroup = Static<typeof MeterGroup>;
export const MeterGroupList = Type.Object({ groups: Type.Array(MeterGroup) });
export type MeterGroupList = Static<typeof MeterGroupList>;

export const SetMeterGroup = Type.Object(
  {
    meters: Type.Array(SystemTitleText, { minItems: 1, maxItems: 20_000 }),
    note: Type.Optional(PlainText({ maxLength: 400 })),
    more: Type.Optional(Type.Boolean({ description: "true: besides those who are in it already" })),
  },
  { additionalProperties: false },
);

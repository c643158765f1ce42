/** What the islands tell consumers: readings, changes of trust, what became of commands, each with a number. */
import { type Static, Type } from "typebox";
import { SystemTitleText, Timestamp } from "./scalars.ts";

const count = Type.Integer({ minimum: 0 });

export const AnnouncementQuery = Type.Object(
  {
    origin: Type.Optional(
      Type.String({ maxLength: 256, description: "`utility/island/run`; this island unless given" }),
    ),
    after: Type.Optional(Type.String({ pattern: "^[0-9]{1,15}$", description: "The last number that is known" })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
  },
  { additionalProperties: false },
);
export type AnnouncementQuery = Static<typeof AnnouncementQuery>;

export const AnnouncementList = Type.Object({
  origin: Type.String({ description: "Whose numbers these are; another run where its database began anew" }),
  announcements: Type.Array(
    Type.Object({
      sequence: Type.Integer({ description: "From 1, without gaps, in the order in which it became so" }),
      at: Timestamp,
      kind: Type.String(),
      meter: SystemTitleText,
      body: Type.Unknown({ description: "By kind: docs/formats/announcements.md" }),
    }),
  ),
  origins: Type.Array(
    Type.Object({
      origin: Type.String(),
      last: count,
      missing: Type.Integer({ minimum: 0, description: "Numbers that never came: the origin may have them still" }),
    }),
    { description: "How far each origin is known here, this island first" },
  ),
});
export type AnnouncementList = Static<typeof AnnouncementList>;

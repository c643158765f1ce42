/** Technicians, their handhelds and what is lent to them. */
import { type Static, Type } from "typebox";
import { PlainText, SystemTitleText, Timestamp, words } from "./scalars.ts";

export const HandheldParams = Type.Object({ handheld: PlainText({ minLength: 1, maxLength: 64 }) });

/** What a meter says of a lease. */
function toldOfLease(description: string) {
  return Type.Object(
    { outcome: words(["awaited", "agrees", "passed-over", "untold", "finding"]), sentence: Type.String() },
    { description },
  );
}

export const FieldMeter = Type.Object({
  systemTitle: SystemTitleText,
  label: Type.String(),
  exposedHours: Type.Number({ description: "Hours in which the lent keys opened it, so far" }),
  rotatedAt: Type.Optional(Timestamp),
  risk: Type.Optional(Type.Integer({ description: "Higher is rotated first" })),
  phase: Type.Optional(Type.String({ description: "Where its rotation stands" })),
  sentence: Type.Optional(Type.String()),
  counted: Type.Optional(toldOfLease("What its counter says beside the journal, once the lease is over")),
  logged: Type.Optional(
    toldOfLease("What its own log of local sessions says beside the journal, once the lease is over"),
  ),
});
export type FieldMeter = Static<typeof FieldMeter>;

export const FieldLease = Type.Object({
  lease: Type.String(),
  handheld: Type.String(),
  technician: Type.String(),
  from: Timestamp,
  until: Timestamp,
  operations: Type.Array(Type.String()),
  state: words(["open", "returned", "expired", "lost", "disputed"]),
  disputes: Type.Array(Type.String(), { description: "What its journal does not explain, a sentence each" }),
  meterHours: Type.Number({ description: "Hours that its keys opened meters, summed over them, so far" }),
  meters: Type.Array(FieldMeter, { description: "Those that are still open first, the riskiest before the others" }),
});
export type FieldLease = Static<typeof FieldLease>;

export const FieldView = Type.Object({
  handhelds: Type.Array(
    Type.Object({ handheld: Type.String(), technician: Type.String(), state: words(["enrolled", "lost"]) }),
  ),
  leases: Type.Array(FieldLease, { description: "The newest first" }),
});
export type FieldView = Static<typeof FieldView>;

export const LoseHandheld = Type.Object(
  { reason: PlainText({ minLength: 1, maxLength: 200, description: "Why, for the ledger" }) },
  { additionalProperties: false },
);
export type LoseHandheld = Static<typeof LoseHandheld>;

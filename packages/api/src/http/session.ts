/** Sessions with meters, step by step: a ladder of what went which way, in words, with the octets on demand. */
import { type Static, Type } from "typebox";
import { Identifier, Octets, Protection, SystemTitleText, Timestamp, words } from "./scalars.ts";

export const SESSION_PURPOSES = ["takeover", "read", "push", "verify", "rotate", "enrol", "operate"] as const;
export type SessionPurpose = (typeof SESSION_PURPOSES)[number];

export const SESSION_OUTCOMES = ["running", "done", "lost", "refused", "failed"] as const;
export type SessionOutcome = (typeof SESSION_OUTCOMES)[number];

export const SessionSummary = Type.Object({
  id: Identifier,
  meter: SystemTitleText,
  purpose: words(SESSION_PURPOSES),
  outcome: words(SESSION_OUTCOMES),
  code: Type.Optional(Type.String({ description: "Error code, where it did not end well" })),
  sentence: Type.String({ description: "What it was and how it ended, in one sentence" }),
  startedAt: Timestamp,
  endedAt: Type.Optional(Timestamp),
  steps: Type.Integer(),
  octetsSent: Type.Integer(),
  octetsReceived: Type.Integer(),
});
export type SessionSummary = Static<typeof SessionSummary>;

/** One line of a decoded APDU; a tree in pre-order, `depth` says how far in. */
export const DecodedLine = Type.Object({
  depth: Type.Integer(),
  name: Type.String(),
  value: Type.Optional(Type.String()),
});
export type DecodedLine = Static<typeof DecodedLine>;

export const LadderStep = Type.Object({
  at: Timestamp,
  direction: words(["to-meter", "from-meter"]),
  step: Type.String({ description: "For example associate, read-registers, transfer-working-keys" }),
  summary: Type.String({ description: "One line in words" }),
  octets: Octets,
  plain: Type.Optional(Octets),
  decoded: Type.Optional(Type.Array(DecodedLine)),
  protection: Type.Optional(Protection),
  evidence: Type.Optional(Type.String()),
});
export type LadderStep = Static<typeof LadderStep>;

export const SessionDetail = Type.Object({ session: SessionSummary, ladder: Type.Array(LadderStep) });
export type SessionDetail = Static<typeof SessionDetail>;

export const SessionList = Type.Object({ sessions: Type.Array(SessionSummary) });
export type SessionList = Static<typeof SessionList>;

import { randomUUID } from "node:crypto";
import type { SessionRecord } from "../session/ladder.ts";
import type { ContactResult } from "./contact.ts";

/** A contact of a takeover as a session that is stored. */
export function contactRecord(result: ContactResult, startedAt: number, endedAt: number): SessionRecord {
  const { lost, state } = result;
  return {
    id: randomUUID(),
    purpose: "takeover",
    outcome: lost === undefined ? "done" : "lost",
    ...(lost === undefined ? {} : { code: lost.code }),
    sentence:
      lost === undefined ? state.sentence : `The line was lost at ${result.ladder.at(-1)?.step}. ${state.sentence}`,
    startedAt,
    endedAt,
    ladder: result.ladder,
  };
}

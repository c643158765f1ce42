import type { GetItem, ListItem, Session } from "@meterkeep/dlms";
import type { EvidenceRecord } from "../reading/result.ts";

/** A part of what is asked of a meter: attributes, and what their answers say. */
export interface Question {
  readonly items: readonly GetItem[];
  /** Takes the answers to its items, in their order, and the evidence that they rest on. */
  take(answers: readonly ListItem[], evidence: EvidenceRecord): void;
}

/** Where what travels is written down. */
export interface AnswerRecorder {
  begin(): void;
  evidence(): EvidenceRecord;
}

/**
 * Asks several questions with one request as far as it fits, where the meter takes lists: each round trip costs the meter's
 * line its latency and the custodian a seal and an opening. All answers rest on the same evidence.
 */
export async function ask(
  session: Pick<Session, "getList">,
  recorder: AnswerRecorder,
  questions: readonly Question[],
): Promise<void> {
  const items = questions.flatMap((question) => question.items);
  if (items.length === 0) return;
  recorder.begin();
  const answers = await session.getList(items);
  const evidence = recorder.evidence();
  let from = 0;
  for (const question of questions) {
    question.take(answers.slice(from, from + question.items.length), evidence);
    from += question.items.length;
  }
}

import { randomUUID } from "node:crypto";
import { type Custodian, ENROLMENT_STEPS, type EnrolmentState, type RotationState } from "@meterkeep/api/custodian";
import type { Meter } from "../inventory/meter.ts";
import type { LadderEntry, SessionRecord } from "../session/ladder.ts";
import { type ContactPorts, type ContactResult, carryContact } from "./contact.ts";

export interface RotationPorts extends ContactPorts {
  readonly custodian: Pick<Custodian, "nextContact" | "advanceContact" | "rotationStates" | "enrolmentStates">;
}

/** A rotation takes three contacts, an enrolment two, where nothing is lost; more than this in a row wait for their next turn. */
const MOST_CONTACTS = 8;

/**
 * Carries the contacts that a meter wants for its keys or its certificates, one after the other, as long as the custodian wants the next at once. It decides
 * nothing: what is lost is in the custodian's journal, and the custodian asks for the meter again.
 *
 * @returns the contacts as one session; undefined where nobody was spoken to.
 */
export async function carryRotation(
  ports: RotationPorts,
  meter: Pick<Meter, "systemTitle"> & { readonly route: NonNullable<Meter["route"]> },
  signal: AbortSignal,
): Promise<SessionRecord | undefined> {
  const startedAt = ports.now();
  const ladder: LadderEntry[] = [];
  let result: ContactResult | undefined;
  for (let contacts = 0; contacts < MOST_CONTACTS; contacts += 1) {
    result = await carryContact(ports, meter, signal);
    ladder.push(...result.ladder);
    if (result.next !== "reconnect" || result.lost !== undefined) break;
  }
  if (ladder.length === 0) return undefined;
  if (isEnrolment(ladder)) {
    const { states } = await ports.custodian.enrolmentStates({ meters: [meter.systemTitle], after: undefined });
    return contactsRecord("enrol", ladder, result?.lost, enrolmentEnd(states[0]), startedAt, ports.now());
  }
  if (isLog(ladder)) return contactsRecord("rotate", ladder, result?.lost, LOG_END, startedAt, ports.now());
  const { states } = await ports.custodian.rotationStates({
    meters: [meter.systemTitle],
    filter: "all",
    after: undefined,
  });
  return contactsRecord("rotate", ladder, result?.lost, rotationEnd(states), startedAt, ports.now());
}

/** Whether the last contact was about certificates. */
function isEnrolment(ladder: readonly LadderEntry[]): boolean {
  const last = ladder.findLast(({ step }) => step !== "release")?.step ?? "";
  return (ENROLMENT_STEPS as readonly string[]).includes(last);
}

/** Whether all of it was about what the meter's log tells of a lease. */
function isLog(ladder: readonly LadderEntry[]): boolean {
  return ladder.every(({ step }) => step === "local-session-log");
}

/** What came of it, and in one sentence. */
interface End {
  readonly sentence: string;
  readonly isRefused: boolean;
}

const LOG_END: End = { sentence: "Its log was asked for by the custodian, after a lease.", isRefused: false };

/** What came of what was planned last, of whichever security setups. */
function rotationEnd(states: readonly RotationState[]): End {
  const plannedAt = Math.max(...states.map((state) => state.plannedAt));
  const newest = states.filter((state) => state.plannedAt === plannedAt);
  const sentences = newest.map(({ setup, sentence }) =>
    setup === undefined ? sentence : `Security setup ${setup}: ${sentence}`,
  );
  return {
    sentence: sentences.length === 0 ? "Its keys are being changed." : sentences.join(" "),
    isRefused: newest.some(({ phase }) => phase === "failed"),
  };
}

function enrolmentEnd(state: EnrolmentState | undefined): End {
  return { sentence: state?.sentence ?? "It is being given certificates.", isRefused: state?.phase === "failed" };
}

function contactsRecord(
  purpose: "rotate" | "enrol",
  ladder: readonly LadderEntry[],
  lost: ContactResult["lost"],
  { sentence, isRefused }: End,
  startedAt: number,
  endedAt: number,
): SessionRecord {
  return {
    id: randomUUID(),
    purpose,
    outcome: lost !== undefined ? "lost" : isRefused ? "refused" : "done",
    ...(lost === undefined ? {} : { code: lost.code }),
    sentence: lost === undefined ? sentence : `The line was lost at ${ladder.at(-1)?.step}. ${sentence}`,
    startedAt,
    endedAt,
    ladder,
  };
}

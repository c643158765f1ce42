import { randomUUID } from "node:crypto";
import type { Custodian, RotationState } from "@meterkeep/api/custodian";
import type { Meter } from "../inventory/meter.ts";
import type { LadderEntry, SessionRecord } from "../session/ladder.ts";
import { type ContactPorts, type ContactResult, carryContact } from "./contact.ts";

export interface RotationPorts extends ContactPorts {
  readonly custodian: Pick<Custodian, "nextContact" | "advanceContact" | "rotationStates">;
}

/** A rotation takes three contacts where nothing is lost; more than this in a row wait for their next turn. */
const MOST_CONTACTS = 8;

/**
 * Carries the contacts of a rotation, one after the other, as long as the custodian wants the next at once. It decides
 * nothing: what is lost is in the custodian's journal, and the custodian asks for the meter again.
 *
 * @returns the contacts as one session; undefined where nobody was spoken to.
 */
export async function carryRotation(
  ports: RotationPorts,
  meter: Pick<Meter, "systemTitle"> & { readonly address: NonNullable<Meter["address"]> },
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
  const { states } = await ports.custodian.rotationStates({
    meters: [meter.systemTitle],
    filter: "all",
    after: undefined,
  });
  return rotationRecord(ladder, result?.lost, states[0], startedAt, ports.now());
}

function rotationRecord(
  ladder: readonly LadderEntry[],
  lost: ContactResult["lost"],
  state: RotationState | undefined,
  startedAt: number,
  endedAt: number,
): SessionRecord {
  const sentence = state?.sentence ?? "Its keys are being changed.";
  return {
    id: randomUUID(),
    purpose: "rotate",
    outcome: lost !== undefined ? "lost" : state?.phase === "failed" ? "refused" : "done",
    ...(lost === undefined ? {} : { code: lost.code }),
    sentence: lost === undefined ? sentence : `The line was lost at ${ladder.at(-1)?.step}. ${sentence}`,
    startedAt,
    endedAt,
    ladder,
  };
}

import type { RotationPhase, RotationState } from "@meterkeep/api/custodian";
import { TRANSFERABLE_PURPOSES } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import {
  FIRST_SETUP,
  inSetup,
  isNamed,
  type MeterFile,
  PURPOSE,
  type Purpose,
  type RotationRecord,
} from "../store/records.ts";
import { candidates } from "../takeover/candidates.ts";
import type { Journal } from "../takeover/journal.ts";
import { rotationOf } from "../takeover/plan.ts";
import { journalOf, unprovenOf } from "../takeover/view.ts";

const MOST_SENTENCE = 1000;

/** Where the newest rotation of a meter's security setup stands. */
export function rotationStateOf(file: MeterFile, setup = FIRST_SETUP): RotationState | undefined {
  const rotation = rotationOf(file, setup);
  if (rotation === undefined) return undefined;
  const { journal } = journalOf(file, setup);
  // The journal of a rotation that has not begun is still the one before it.
  const own = rotation.begunAt === undefined ? undefined : journal;
  const phase = own === undefined ? "planned" : phaseOf(own, file, rotation);
  const unproven = rotation.purposes.filter((purpose) => !isProven(file, setup, purpose, own));
  const { cause, risk, plannedAt, plannedBy, endedAt } = rotation;
  return {
    meter: systemTitle(fromHex(file.meter.systemTitle)),
    rotation: rotation.rotation,
    cause,
    purposes: named(rotation.purposes),
    risk,
    phase,
    plannedAt,
    plannedBy,
    ...(endedAt === undefined ? {} : { endedAt }),
    unproven: named(unproven),
    sentence: [sentenceOf(phase, own, named(unproven)), ...(own === undefined ? [] : unprovenOf(own))]
      .join(" ")
      .slice(0, MOST_SENTENCE),
    ...(setup !== FIRST_SETUP && { setup }),
  };
}

function phaseOf(journal: Journal, file: MeterFile, rotation: RotationRecord): RotationPhase {
  if (rotation.endedAt !== undefined) return rotation.outcome === "failed" ? "failed" : endOf(journal, file, rotation);
  const { sent, prepared, proven, verdict, belief, old } = journal;
  const isSettled = candidates(journal).length === 1 && belief[PURPOSE.KEK].length === 1;
  if (verdict === "unknown") return "unknown";
  if (sent !== undefined) return sent.acknowledged ? "confirmed" : journal.contact === undefined ? "unknown" : "sent";
  if (!isSettled) return "unknown";
  if (proven.working && proven.master) return "verified";
  if (prepared !== undefined) return "prepared";
  const begun = journal.changing.some((purpose) => belief[purpose][0] !== old[purpose]);
  return begun ? "verified" : "planned";
}

function endOf(journal: Journal, file: MeterFile, rotation: RotationRecord): RotationPhase {
  const before = file.keys
    .filter(({ setup }) => setup === rotation.setup)
    .filter(
      ({ purpose, version }) =>
        journal.changing.includes(purpose as Purpose) && journal.old[purpose as Purpose] === version,
    );
  if (before.length > 0 && before.every(({ state }) => state.startsWith("destroyed"))) return "destroyed";
  return before.every(({ state }) => state !== "active") ? "retired" : "committed";
}

/** Whether the meter has proven the newest key that it may hold. */
function isProven(file: MeterFile, setup: number, purpose: Purpose, journal: Journal | undefined): boolean {
  if (journal === undefined) return false;
  const name = inSetup({ purpose, version: journal.belief[purpose][0] as number }, setup);
  const key = file.keys.find((one) => isNamed(one, name));
  return key?.provenAt !== undefined && key.version !== journal.old[purpose];
}

function named(purposes: readonly Purpose[]) {
  return purposes.map((purpose) => TRANSFERABLE_PURPOSES[purpose]);
}

const SENTENCES: Readonly<Record<RotationPhase, string>> = {
  planned: "New keys are planned for it; nothing has been made or sent.",
  prepared: "New keys are made and in escrow; nothing has been sent.",
  sent: "New keys were sent to it; its answer is awaited.",
  confirmed: "It says that it has taken new keys, which an association has to prove.",
  unknown: "An answer is missing: old and new keys are held, and it is being asked, spaced, which it has.",
  verified: "It has proven new keys; what is left is to prove the others, and the old ones dead.",
  committed: "Its new keys are proven.",
  retired: "Its new keys are proven and the old ones dead; those are kept for a while and never used.",
  destroyed: "Its new keys are proven, and the old ones destroyed.",
  failed: "It did not change its keys as it was asked.",
};

function sentenceOf(phase: RotationPhase, journal: Journal | undefined, unproven: readonly string[]): string {
  if (phase === "failed") {
    const last = journal?.steps.findLast(({ outcome }) => outcome === "failed" || outcome === "refused");
    return last === undefined ? SENTENCES.failed : `${SENTENCES.failed} At ${last.step}: ${last.detail}.`;
  }
  const isOver = phase === "committed" || phase === "retired" || phase === "destroyed";
  if (!isOver || unproven.length === 0) return SENTENCES[phase];
  return `${SENTENCES[phase]} Its ${unproven.join(", ")} cannot be proven by anything a meter answers.`;
}

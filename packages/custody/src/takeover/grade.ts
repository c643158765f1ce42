import type { TakeoverGrade } from "@meterkeep/api/custodian";
import { type KeyRecord, PURPOSE } from "../store/records.ts";
import { type Carrier, isFinal, type Journal, WORKING } from "./journal.ts";

/**
 * What the way of the keys is worth; nothing as long as they are not proven. Shielded is only what the depot has seen
 * from end to end: the change of the keys, which nobody could record, and the refusal of the factory's, which is plain
 * and which nobody could forge. Agreed is what was wrapped under a master that two ephemeral keys came to: who held the factory's
 * keys and recorded everything does not have it.
 */
export function gradeOf(journal: Journal): TakeoverGrade {
  const { proven, verdict, exposed, agreedMaster, changing } = journal;
  if (!proven.working || !proven.master || (isFinal(verdict) && verdict !== "proven")) return "none";
  if (agreedMaster !== undefined && !exposed && WORKING.every((purpose) => changing.includes(purpose))) return "agreed";
  return exposed || (proven.oldDead && refusalCarrier(journal) !== "depot") ? "exposed" : "shielded";
}

/** Who carried the refusal of the old keys; of a rotation that left the working keys, and had none refused, who carried its keys. */
export function refusalCarrier({ refusalCarrier: carrier, exposed }: Journal): Carrier {
  return carrier ?? (exposed ? "head-end" : "depot");
}

/**
 * Compromised keys of a security setup that a meter's trust rests on: a working key that it may use, and any master of ours. Each master
 * has carried the next one, so that who holds it and recorded the line has all that followed: no rotation under it
 * brings that trust back, unless one was agreed on since. The factory's keys are no secret of ours, whatever becomes of them; a broadcast key vouches
 * for nothing.
 */
export function compromisedVouchers(
  keys: readonly KeyRecord[],
  { belief, agreedMaster = 0 }: Journal,
  setup: number,
): KeyRecord[] {
  const own = keys.filter((key) => key.setup === setup && key.purpose <= PURPOSE.KEK);
  return own.filter(({ purpose, version, state, origin }) => {
    if (state !== "compromised" && state !== "destroyed-compromised") return false;
    if (origin === "generated" && purpose === PURPOSE.KEK) return version >= agreedMaster;
    return (
      origin === "generated" && WORKING.some((working) => working === purpose && belief[working].includes(version))
    );
  });
}

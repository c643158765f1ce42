import type { TakeoverGrade } from "@meterkeep/api/custodian";
import { type Carrier, isFinal, type Journal } from "./journal.ts";

/**
 * What the way of the keys is worth; nothing as long as they are not proven. Shielded is only what the depot has seen
 * from end to end: the change of the keys, which nobody could record, and the refusal of the factory's, which is plain
 * and which nobody could forge.
 */
export function gradeOf(journal: Journal): TakeoverGrade {
  const { proven, verdict, exposed } = journal;
  if (!proven.working || !proven.master || (isFinal(verdict) && verdict !== "proven")) return "none";
  return exposed || (proven.oldDead && refusalCarrier(journal) !== "depot") ? "exposed" : "shielded";
}

/** Who carried the refusal of the factory keys; of journals from before that was written down, who carried the keys. */
export function refusalCarrier({ refusalCarrier: carrier, exposed }: Journal): Carrier {
  return carrier ?? (exposed ? "head-end" : "depot");
}

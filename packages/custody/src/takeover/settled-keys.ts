import { CallRefusal } from "../calls/call-refusal.ts";
import { isUsable } from "../keys/key-transition.ts";
import { isNamed, type MeterFile, PURPOSE } from "../store/records.ts";
import { type Candidate, candidates } from "./candidates.ts";
import { isFinal } from "./journal.ts";
import { canBeTakenOver, isInService, journalOf } from "./view.ts";

/** The working keys of a meter, and whether it is proven that those before them are dead. */
export interface SettledKeys {
  readonly GUEK: number;
  readonly GAK: number;
  readonly isProven: boolean;
}

/** The working keys of a meter, where it is settled which they are: also between the steps of a rotation. */
export function settledKeys(file: MeterFile): SettledKeys {
  const { systemTitle } = file.meter;
  if (!isInService(file.meter))
    throw new CallRefusal("meter-left", `meter ${systemTitle} has left: it is ${file.meter.standing}`);
  const { journal } = journalOf(file);
  const isTakeover = journal.cause === "takeover";
  if (
    !canBeTakenOver(file.meter) ||
    (isTakeover && (!isFinal(journal.verdict) || journal.verdict === "identity-differs"))
  )
    throw new CallRefusal(
      "meter-not-taken-over",
      `the keys of meter ${systemTitle} are not settled: takeover comes first`,
    );
  const [one, ...others] = candidates(journal) as [Candidate, ...Candidate[]];
  if (!isTakeover && !isFinal(journal.verdict) && others.length > 0)
    throw new CallRefusal(
      "keys-unsettled",
      `meter ${systemTitle} may hold old or new keys: its rotation finds out which`,
    );
  const suspended = file.keys.find(
    (key) =>
      (isNamed(key, { purpose: PURPOSE.GUEK, version: one.GUEK }) ||
        isNamed(key, { purpose: PURPOSE.GAK, version: one.GAK })) &&
      !isUsable(key.state),
  );
  if (suspended !== undefined)
    throw new CallRefusal("keys-missing", `a working key of meter ${systemTitle} is ${suspended.state}`);
  const { GUEK, GAK } = one;
  return { GUEK, GAK, isProven: journal.verdict === "proven" };
}

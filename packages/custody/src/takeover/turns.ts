import { FIRST_SETUP, type MeterFile } from "../store/records.ts";
import { isFinal } from "./journal.ts";
import { openRotation } from "./plan.ts";
import { type ChangesFile, isTakeoverProven, journalOf, takenSetups } from "./view.ts";

/** A security setup of which something is wanted. */
export interface WantedSetup {
  readonly setup: number;
  /** Its keys are being changed: it may be between two. */
  readonly isBegun: boolean;
}

/**
 * The security setups of a meter of which something is wanted, a takeover or a rotation, in their turn. Those beside the first come
 * once the takeover of the first is proven.
 */
export function setupsInTurn(file: ChangesFile & Pick<MeterFile, "rotations">): readonly number[] {
  const wanted = takenSetups(file).flatMap((setup): WantedSetup[] => {
    const { journal, record } = journalOf(file, setup);
    const isOver = isFinal(journal.verdict) && record?.closedAt !== undefined;
    if (isOver && openRotation(file, setup) === undefined) return [];
    return [{ setup, isBegun: record !== undefined && !isOver }];
  });
  return inTurn(wanted, isTakeoverProven(journalOf(file).journal));
}

/**
 * Those of them that do not wait for the end of a lease: somebody else may have their keys. What was lent is of the first setup, so that
 * a change in another leaves the handheld's keys and counters as they are.
 */
export function compromisedInTurn(file: ChangesFile & Pick<MeterFile, "rotations">): readonly number[] {
  return setupsInTurn(file).filter((setup) => openRotation(file, setup)?.cause === "compromise");
}

/** First what has begun, since a setup between two keys is the one at risk; then the first before the others. */
export function inTurn(wanted: readonly WantedSetup[], isFirstProven: boolean): readonly number[] {
  return wanted
    .filter(({ setup }) => isFirstProven || setup === FIRST_SETUP)
    .sort((one, other) => Number(other.isBegun) - Number(one.isBegun) || one.setup - other.setup)
    .map(({ setup }) => setup);
}

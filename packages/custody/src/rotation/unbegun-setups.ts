import type { CheckedFiles } from "../records/checked-files.ts";
import { FIRST_SETUP, type MeterFile } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { setupsInTurn } from "../takeover/turns.ts";
import { canBeTakenOver, isInService } from "../takeover/view.ts";

/** Meters that one look is for: a fleet of a hundred thousand is looked through within a day, at a look every ten minutes. */
const MOST_LOOKED_AT = 1000;

/** What meters are looked through with. */
export interface UnbegunDependencies {
  readonly store: { readonly rotations: Pick<CustodyStore["rotations"], "unbegun"> };
  readonly files: Pick<CheckedFiles, "loadPage">;
}

/**
 * Meters in service with a security setup beside the first that is to be taken over and that nobody has ever spoken to: their profile
 * named no client of it when the first was taken over, or whoever carried that one's contacts did not come back. No record says that
 * anything is due at them, so that they are looked for, a part of the fleet after the other.
 */
export class UnbegunSetups {
  readonly #dependencies: UnbegunDependencies;
  /** The last meter that was looked at: the next look goes on behind it, or begins anew. */
  #lookedTo: string | undefined;

  constructor(dependencies: UnbegunDependencies) {
    this.#dependencies = dependencies;
  }

  /** System titles of those among the next meters. */
  async next(): Promise<readonly string[]> {
    const { store, files } = this.#dependencies;
    const { titles, last } = await store.rotations.unbegun(this.#lookedTo, MOST_LOOKED_AT);
    this.#lookedTo = last;
    if (titles.length === 0) return [];
    const found = await files.loadPage(titles, undefined, titles.length);
    return found.filter(isWanted).map(({ meter }) => meter.systemTitle);
  }
}

/** Whether one beside the first is to go on. Whoever takes meters over begins with the first, when it suits them. */
function isWanted(file: MeterFile): boolean {
  const { meter } = file;
  return canBeTakenOver(meter) && isInService(meter) && setupsInTurn(file).some((setup) => setup !== FIRST_SETUP);
}

import type { LedgerReads } from "@meterkeep/ledger";
import { DAY_MILLISECONDS } from "../day.ts";
import { isLost } from "../ledger/named-findings.ts";

/** Entries of a step back through the last day. */
const STEP = 5000;

/** What the ledger of the last day is read with. */
export interface ExecutedChangesDependencies {
  /** As of `countingReads`. */
  readonly ledger: Pick<LedgerReads, "foreign" | "read" | "size">;
  /** Reads the ledger whole after so many entries, so that what was hidden there is found. */
  readonly readFrom: (after: number) => Promise<void>;
  readonly now: () => number;
}

/**
 * Which changes were executed within their day: an approval is burnt once it was used, and whoever owns the database must not have it
 * used again by giving the change's row and entry back what they were.
 *
 * Of what this process has planned and executed it knows itself. A change from before its start may have been executed by an entry that
 * is hidden: before the first of them is judged, the ledger of the day before the start is read whole, and where anything in it is not
 * what was written, changes from before the start are planned anew.
 */
export class ExecutedChanges {
  readonly #dependencies: ExecutedChangesDependencies;
  readonly #startedAt: number;
  /** How many entries there were at the start. */
  readonly #before: number;
  /** By hash, with the time: a day later none of them can be approved any more. */
  readonly #planned = new Map<string, number>();
  readonly #executed = new Map<string, number>();
  /** After how many entries the day before the start begins. */
  #day: Promise<number> | undefined;

  private constructor(dependencies: ExecutedChangesDependencies, before: number) {
    this.#dependencies = dependencies;
    this.#startedAt = dependencies.now();
    this.#before = before;
  }

  static async open(dependencies: ExecutedChangesDependencies): Promise<ExecutedChanges> {
    return new ExecutedChanges(dependencies, await dependencies.ledger.size());
  }

  planned(hash: string): void {
    this.#remember(this.#planned, hash);
  }

  executed(hash: string): void {
    this.#remember(this.#executed, hash);
  }

  /** Why a change is not taken for one that is still to be executed, although neither its row nor the ledger says that it was. */
  async doubtOf(hash: string): Promise<string | undefined> {
    if (this.#executed.has(hash)) return `change ${hash} was executed; neither its row nor the ledger says so any more`;
    if (this.#planned.has(hash)) return undefined;
    const day = await this.#dayBefore();
    const found = this.#dependencies.ledger.foreign.findings.find((one) => isLost(one) && one.to > day);
    return (
      found &&
      `change ${hash} was planned before this start, and entries ${found.from} to ${found.to} of the ledger are not what was written since: it may have been executed. Plan it anew`
    );
  }

  async #dayBefore(): Promise<number> {
    this.#day ??= this.#readDay();
    try {
      return await this.#day;
    } catch (error) {
      this.#day = undefined;
      throw error;
    }
  }

  async #readDay(): Promise<number> {
    const { ledger, readFrom } = this.#dependencies;
    let after = this.#before;
    while (after > 0) {
      after = Math.max(0, after - STEP);
      await readFrom(after);
      const [first] = await ledger.read(after, 1);
      if (first !== undefined && first.sequence <= this.#before && first.at < this.#startedAt - DAY_MILLISECONDS) break;
    }
    return after;
  }

  #remember(known: Map<string, number>, hash: string): void {
    const at = this.#dependencies.now();
    known.set(hash, at);
    for (const [other, since] of known) {
      if (since >= at - 2 * DAY_MILLISECONDS) break;
      known.delete(other);
    }
  }
}

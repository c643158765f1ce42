import type { OwnTime } from "@meterkeep/guard";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import type { CustodyStore } from "../store/store.ts";

/** Counting millions takes seconds and a small town no time: a count is good for so long for each meter of it. */
const MILLISECONDS_A_METER = 0.6;
/** And never longer. */
const MOST_MILLISECONDS = 10 * 60_000;
/** So many meters drawn from those that count are looked at whole: of a fleet with one false row in fifty 99 in 100 draws find one. */
const SAMPLE_METERS = 256;
/** A fleet that is larger than the checked one by more than this share is checked anew before it counts. */
const UNCHECKED_SHARE = 0.02;

/** What the size of a fleet is known from. */
export interface FleetSizeDependencies {
  readonly store: Pick<CustodyStore, "provenMeterCount" | "provenMeterSample">;
  /** Checked against MACs and the ledger: who writes rows into the database makes no meter. */
  readonly files: Pick<CheckedFiles, "load">;
  readonly time: Pick<OwnTime, "lived">;
}

/**
 * How many meters there are, which caps are a share of: those in service whose takeover is proven, since a head-end may add
 * meters and only who has them can have them taken over. A million are counted anew every ten minutes lived, and some of
 * them, drawn at random, checked whole.
 */
export class FleetSize {
  readonly #dependencies: FleetSizeDependencies;
  /** By utility; of all under the empty name. */
  readonly #counted = new Map<string, { readonly lived: number; readonly size: number }>();
  #checked: { readonly lived: number; readonly size: number } | undefined;
  #spoilt: string | undefined;

  constructor(dependencies: FleetSizeDependencies) {
    this.#dependencies = dependencies;
  }

  /** Why no count is believed: a meter that counts is not one that was written. */
  get spoilt(): string | undefined {
    return this.#spoilt;
  }

  /** Of all, or of one utility. */
  async now(utility?: string): Promise<number> {
    const { store, time } = this.#dependencies;
    const { lived } = time;
    const known = this.#counted.get(utility ?? "");
    const isGood =
      known !== undefined && lived - known.lived < Math.min(MOST_MILLISECONDS, known.size * MILLISECONDS_A_METER);
    if (isGood) return known.size;
    const size = await store.provenMeterCount(utility);
    // Of all of them: a utility's are among these.
    if (utility === undefined) await this.#check(size, lived);
    this.#counted.set(utility ?? "", { lived, size });
    return size;
  }

  async #check(size: number, lived: number): Promise<void> {
    const checked = this.#checked;
    const isGood =
      checked !== undefined &&
      lived - checked.lived < MOST_MILLISECONDS &&
      size <= checked.size * (1 + UNCHECKED_SHARE) &&
      this.#spoilt === undefined;
    if (isGood) return;
    const { store, files } = this.#dependencies;
    let spoilt: string | undefined;
    for (const title of await store.provenMeterSample(SAMPLE_METERS))
      try {
        await files.load(title);
      } catch (error) {
        if (!(error instanceof CallRefusal)) throw error;
        spoilt = `meter ${title}, which the caps would count, is not as it was written`;
        break;
      }
    this.#spoilt = spoilt;
    this.#checked = { lived, size };
  }
}

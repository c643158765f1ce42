import type { SealResult } from "@meterkeep/api/custodian";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { type BucketSize, TokenBuckets } from "../calls/token-bucket.ts";
import type { EntryBursts } from "../evidence/entry-bursts.ts";
import { FIRST_SETUP, type SetupPlace } from "../store/records.ts";

/** Why an APDU was not sealed. */
export type SealRefusal = Omit<Extract<SealResult, { kind: "refused" }>, "kind">;

/**
 * What a principal may use up of a meter's counters unless configuration says otherwise. A caller that seals as fast as
 * it can would be through the 2^32 of a key in 58 hours, and the meter out of reach; at this rate it takes four years,
 * twice a key's period. A session of twenty requests every second stays below it, and a load profile of months fits
 * into the burst.
 */
export const DEFAULT_SEAL_BUDGET: BucketSize = { burst: 4096, perSecond: 32 };

/** Opening a session: the three counters of an association, that of its release, and two entries in the ledger. */
const SESSION_PRICE = 8;

/**
 * As much of a budget is there after a start as comes back in this time: an eighth of the usual burst, enough for the
 * sessions that wait for a custodian to come up again.
 */
const START_MILLISECONDS = 16_000;

/** Who spends what of a meter's budget. */
export interface Spending {
  readonly caller: Caller;
  readonly place: SetupPlace;
  /** The bucket of both, as `hold` gave it. */
  readonly bucket: number;
}

/**
 * A budget of counters for each meter and principal. What is beyond it is refused and uses none; the ledger has one entry
 * when a budget is used up, and the next only after it has recovered.
 *
 * It lives in memory, and a restart gives little back: budgets begin as low as if all had been used up some seconds before,
 * and fill from there.
 */
export class SealBudget {
  /** By principal, then by meter: a meter's name is at hand, and one for both would have to be made for each call. */
  readonly #buckets = new Map<string, TokenBuckets>();
  readonly #bursts: EntryBursts;
  readonly #now: () => number;
  readonly #size: BucketSize;
  readonly #since: number;
  /** Budgets that are used up, and since when nothing was refused. */
  readonly #exhausted = new Map<string, number>();
  #refused = 0;

  constructor(size: BucketSize, bursts: EntryBursts, now: () => number) {
    this.#size = size;
    this.#since = now() - START_MILLISECONDS;
    this.#bursts = bursts;
    this.#now = now;
  }

  /** How many APDUs and sessions were refused since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** The bucket that a session spends from, until it lets go of it. */
  hold(caller: Caller, place: SetupPlace): number {
    return this.#bucketsOf(caller).hold(bucketOf(place));
  }

  letGo({ caller, bucket }: Pick<Spending, "caller" | "bucket">): void {
    this.#bucketsOf(caller).letGo(bucket);
  }

  /** Takes the price of so many APDUs, at once; or says why not, when that is in the ledger. */
  spend({ caller, place, bucket }: Spending, apdus: number): Promise<SealRefusal> | undefined {
    if (this.#bucketsOf(caller).takeHeld(bucket, apdus)) return undefined;
    return this.#refuse(caller, place, apdus).then((message) => ({
      code: "seal-budget-exhausted",
      effect: "none",
      message,
    }));
  }

  /** Takes the price of a session. @throws CallRefusal `seal-budget-exhausted`. */
  async spendOnSession(caller: Caller, place: SetupPlace): Promise<void> {
    if (this.#bucketsOf(caller).take(bucketOf(place), SESSION_PRICE)) return;
    throw new CallRefusal("seal-budget-exhausted", await this.#refuse(caller, place, 1));
  }

  sweep(): void {
    for (const buckets of this.#buckets.values()) buckets.sweep();
    const recovered = this.#now() - this.#recoveryMilliseconds();
    for (const [name, at] of this.#exhausted) if (at < recovered) this.#exhausted.delete(name);
  }

  #bucketsOf({ name }: Caller): TokenBuckets {
    let buckets = this.#buckets.get(name);
    if (buckets === undefined) {
      buckets = new TokenBuckets(this.#size, this.#now, this.#since);
      this.#buckets.set(name, buckets);
    }
    return buckets;
  }

  async #refuse(caller: Caller, place: SetupPlace, apdus: number): Promise<string> {
    this.#refused += apdus;
    const at = this.#now();
    const name = nameOf(caller, place);
    const last = this.#exhausted.get(name);
    this.#exhausted.set(name, at);
    const { burst, perSecond } = this.#size;
    const message = `${caller.name} has used up its budget for meter ${place.systemTitle}: ${burst} counters at once, ${perSecond} a second`;
    if (last === undefined || at - last > this.#recoveryMilliseconds()) {
      const { utility, island, systemTitle } = place;
      const body = { setup: place.setup, burst, perSecond };
      const entry = { at, kind: "seal-budget-exhausted", principal: caller.name, utility, island, meter: systemTitle };
      await this.#bursts.record([{ ...entry, body }]);
    }
    return message;
  }

  /** After so long without a refusal the next one is news: the time in which a tenth of the burst comes back. */
  #recoveryMilliseconds(): number {
    const { burst, perSecond } = this.#size;
    return (burst / 10 / perSecond) * 1000;
  }
}

function bucketOf({ systemTitle, setup }: SetupPlace): string {
  return setup === FIRST_SETUP ? systemTitle : `${systemTitle}/${setup}`;
}

function nameOf({ name }: Caller, { systemTitle, setup }: SetupPlace): string {
  return `${name}/${systemTitle}/${setup}`;
}

import { type Direction, flowOf, takesOff, type WaveCounts } from "@meterkeep/guard";
import { DAY_MILLISECONDS } from "../day.ts";
import { sameMac, withSealMacs } from "../records/record-mac.ts";
import type { Vault } from "../vault/vault.ts";
import {
  type AuthorityRecords,
  type CriticalSeal,
  MONTH_MILLISECONDS,
  type OffCounts,
  type SealOutcome,
  TEN_MINUTES_MILLISECONDS,
} from "./store/records.ts";

/**
 * The seals that count against caps, in memory: read and judged once, at the start, and kept from there. Whoever changes
 * rows under a running custodian lowers no count; whoever changes them before is noticed by their MACs, and whoever takes
 * some away by their nonces, which the ledger knows.
 */
export class SealBook {
  /** Each that takes load or injection off, and when it was settled, in time lived; undefined while it is not. */
  readonly #takenOff = new Map<string, TakenOff>();
  /** What meters have shown of each manifest that takes load or injection off. */
  readonly #shown = new Map<string, Shown>();
  /** What was sealed of late for load, and for injection, in order. */
  readonly #swings = new Map<string, readonly Swing[]>();
  readonly spoilt: string | undefined;

  private constructor(spoilt: string | undefined) {
    this.spoilt = spoilt;
  }

  static async open(
    records: Pick<AuthorityRecords, "countingSeals">,
    vault: Pick<Vault, "authenticate">,
  ): Promise<SealBook> {
    const { seals, lost } = await records.countingSeals();
    const authentic = await withSealMacs(vault, seals);
    const changed = seals.find(({ mac }, at) => !sameMac(mac, authentic[at]?.mac));
    const [gone] = lost;
    const book = new SealBook(
      changed !== undefined
        ? `the seal ${changed.nonce} was changed`
        : gone && `not all seals are kept that the ledger has: ${gone} is gone`,
    );
    for (const { nonce, direction, utility, settledLived, manifest, outcome } of seals) {
      if (!takesOff(direction)) continue;
      book.#takenOff.set(nonce, { direction, utility, settled: settledLived, manifest });
      if (outcome !== undefined) book.#show(manifest, outcome);
    }
    const inOrder = [...seals].sort((one, other) => one.sealedLived - other.sealedLived);
    for (const seal of inOrder) book.#swung(seal);
    return book;
  }

  /** One more counts from now on; false where it is there already. */
  sealed(seal: Pick<CriticalSeal, "nonce" | "direction" | "sealedLived" | "manifest" | "utility">): boolean {
    const { nonce, direction, manifest, utility } = seal;
    if (this.#takenOff.has(nonce)) return false;
    if (takesOff(direction)) this.#takenOff.set(nonce, { direction, utility, settled: undefined, manifest });
    this.#swung(seal);
    return true;
  }

  /** It was surely not recorded after all. */
  dropped(nonce: string): void {
    this.#takenOff.delete(nonce);
    for (const [flow, swings] of this.#swings)
      this.#swings.set(
        flow,
        swings.filter((swing) => swing.nonce !== nonce),
      );
  }

  settled(nonces: readonly string[], lived: number, outcome: SealOutcome): void {
    for (const nonce of nonces) {
      const seal = this.#takenOff.get(nonce);
      if (seal === undefined || seal.settled !== undefined) continue;
      this.#takenOff.set(nonce, { ...seal, settled: lived });
      this.#show(seal.manifest, outcome);
    }
    for (const [nonce, { settled: at }] of this.#takenOff)
      if (at !== undefined && at <= lived - MONTH_MILLISECONDS) this.#takenOff.delete(nonce);
  }

  /** How many that take load off, or injection, count at a time lived: of all, or of one utility. */
  offCounts(lived: number, direction: Direction, utility?: string): OffCounts {
    const counts = { day: 0, month: 0, tenMinutes: 0 };
    for (const seal of this.#takenOff.values()) {
      if (seal.direction !== direction || (utility !== undefined && seal.utility !== utility)) continue;
      const age = seal.settled === undefined ? 0 : lived - seal.settled;
      if (age < MONTH_MILLISECONDS) counts.month += 1;
      if (age < DAY_MILLISECONDS) counts.day += 1;
      if (age < TEN_MINUTES_MILLISECONDS) counts.tenMinutes += 1;
    }
    return counts;
  }

  /** MC-13: what became of a manifest so far, as meters have shown it; what is under way does not tell. */
  shown(manifest: string): WaveCounts {
    const { executed, refused, superseded } = this.#shown.get(manifest) ?? NOTHING_SHOWN;
    return { tried: executed + refused + superseded, failed: refused, lost: superseded, unexpected: 0 };
  }

  #show(manifest: string, outcome: SealOutcome): void {
    const shown = this.#shown.get(manifest) ?? NOTHING_SHOWN;
    this.#shown.set(manifest, { ...shown, [outcome]: shown[outcome] + 1 });
  }

  /** MC-06: how often the direction has changed between the seals of the last five minutes lived. */
  signChanges(lived: number, direction: Direction): number {
    const swings = this.#swings.get(flowName(direction)) ?? [];
    return swings.filter(
      ({ at, direction: now }, index) =>
        at > lived - SWING_MILLISECONDS && isChange(swings[index - 1], { at, direction: now }),
    ).length;
  }

  #swung({ nonce, direction, sealedLived: at }: Pick<CriticalSeal, "nonce" | "direction" | "sealedLived">): void {
    if (direction === "none") return;
    const name = flowName(direction);
    const before = this.#swings.get(name) ?? [];
    const last = before.at(-1);
    // Of several that go the same way in a row the first tells when that began, and the last when it was last done.
    const isMore = last?.direction === direction && before.at(-2)?.direction === direction;
    const kept = (isMore ? before.slice(0, -1) : before).filter((swing) => swing.at > at - 2 * SWING_MILLISECONDS);
    this.#swings.set(name, [...kept, { nonce, direction, at }]);
  }
}

/** Whether one seal takes back what was done within the time before. */
function isChange(before: Pick<Swing, "direction" | "at"> | undefined, now: Pick<Swing, "direction" | "at">): boolean {
  return before !== undefined && before.direction !== now.direction && before.at > now.at - SWING_MILLISECONDS;
}

type Shown = Readonly<Record<SealOutcome, number>>;
const NOTHING_SHOWN: Shown = { executed: 0, refused: 0, superseded: 0 };

interface TakenOff {
  readonly utility: string;
  readonly manifest: string;
  readonly direction: Direction;
  readonly settled: number | undefined;
}

interface Swing {
  readonly nonce: string;
  readonly direction: Direction;
  readonly at: number;
}

/** MC-06 looks at so much. */
const SWING_MILLISECONDS = 300_000;

function flowName(direction: Direction): string {
  return flowOf(direction)[0] ?? direction;
}

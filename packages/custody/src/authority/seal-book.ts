import { sameMac, withSealMacs } from "../records/record-mac.ts";
import type { Vault } from "../vault/vault.ts";
import {
  type AuthorityRecords,
  type CriticalSeal,
  DAY_MILLISECONDS,
  type OffCounts,
  TEN_MINUTES_MILLISECONDS,
} from "./store/records.ts";

/**
 * The seals that count against caps, in memory: read and judged once, at the start, and kept from there. Whoever changes
 * rows under a running custodian lowers no count; whoever changes them before is noticed by their MACs, and whoever takes
 * some away by their number, which the ledger knows.
 */
export class SealBook {
  /** Whose each is that can switch off, and when it was settled, in time lived; undefined while it is not. */
  readonly #off = new Map<string, { readonly utility: string; readonly settledLived: number | undefined }>();
  readonly spoilt: string | undefined;

  private constructor(spoilt: string | undefined) {
    this.spoilt = spoilt;
  }

  static async open(
    records: Pick<AuthorityRecords, "countingSeals">,
    vault: Pick<Vault, "authenticate">,
  ): Promise<SealBook> {
    const { seals, rows, entries } = await records.countingSeals();
    const authentic = await withSealMacs(vault, seals);
    const changed = seals.find(({ mac }, at) => !sameMac(mac, authentic[at]?.mac));
    const book = new SealBook(
      changed === undefined
        ? rows === entries
          ? undefined
          : `${rows} seals are kept, and the ledger has ${entries}`
        : `the seal ${changed.nonce} was changed`,
    );
    for (const { nonce, direction, utility, settledLived } of seals)
      if (direction === "off") book.#off.set(nonce, { utility, settledLived });
    return book;
  }

  /** One more counts from now on; false where it is there already. */
  sealed({ nonce, direction, utility }: Pick<CriticalSeal, "nonce" | "direction" | "utility">): boolean {
    if (this.#off.has(nonce)) return false;
    if (direction === "off") this.#off.set(nonce, { utility, settledLived: undefined });
    return true;
  }

  /** It was surely not recorded after all. */
  dropped(nonce: string): void {
    this.#off.delete(nonce);
  }

  settled(nonces: readonly string[], lived: number): void {
    for (const nonce of nonces) {
      const held = this.#off.get(nonce);
      if (held !== undefined && held.settledLived === undefined) this.#off.set(nonce, { ...held, settledLived: lived });
    }
    for (const [nonce, { settledLived: at }] of this.#off)
      if (at !== undefined && at <= lived - DAY_MILLISECONDS) this.#off.delete(nonce);
  }

  /** How many that can switch off count at a time lived, of all or of one utility. */
  offCounts(lived: number, utility?: string): OffCounts {
    const counting = [...this.#off.values()].filter((one) => utility === undefined || one.utility === utility);
    const within = (window: number): number =>
      counting.filter(({ settledLived: at }) => at === undefined || at > lived - window).length;
    return { day: within(DAY_MILLISECONDS), tenMinutes: within(TEN_MINUTES_MILLISECONDS) };
  }
}
